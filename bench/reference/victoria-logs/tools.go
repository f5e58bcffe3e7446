//go:build tools

// Package victorialogs pins VictoriaLogs, the reference of bench/ingest.py. It is a module of its own because
// VictoriaMetrics' go.mod has replace directives, which `go install` refuses.
package victorialogs

import _ "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs"

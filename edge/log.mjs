// log.mjs - log lines in the platform's one format (docs/observability.md). Keys never stand in them, ids of keys may.
const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'];

export function makeLog(write = (line) => process.stdout.write(line + '\n'), now = Date.now) {
  const at = (level) => (message, fields = {}) =>
    write(JSON.stringify({ timestamp: new Date(now()).toISOString(), level, service: 'edge', message, ...fields }));
  return Object.fromEntries(LEVELS.map((level) => [level.toLowerCase(), at(level)]));
}

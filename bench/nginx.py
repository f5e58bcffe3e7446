"""Prism's gateway beside nginx and MiniStack, on one processor each, loaded from another: a static answer, and as a proxy to a function. Plain and over
TLS 1.3 with the same certificate.

What stands behind the gateway is a function with its authorizer, asked through Lambda's Runtime API; behind the others the same answer by the least
that can stand there (bench/answer.c), on the same processor. nginx does it twice: as nothing but a proxy, and with what of the gateway's work it can do
by itself: it asks for each credential (auth_request) and keeps the verdict for a minute, limits each one's requests, and writes its access log as JSON.
MiniStack is an emulator of AWS: a MOCK integration, and HTTP_PROXY to the same answer."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.request

import boto3

from conftest import free_port
from load import HEADER, on, processors, wrk
from measure import BUILD, Region, arguments, scratch, setup_path, table

STATIC = '{"status":"ok"}'
CONFIGURATION = """
%(user)s
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    default_type application/json;
    keepalive_requests 1000000000;
    log_format told escape=json '{"time":"$time_iso8601","id":"$request_id","method":"$request_method","path":"$uri","status":$status,'
        '"bytes_in":$request_length,"bytes_out":$bytes_sent,"ms":$request_time,"peer":"$remote_addr","agent":"$http_user_agent"}';
    limit_req_zone $http_authorization zone=tenants:1m rate=1000000r/s;
    proxy_cache_path verdicts keys_zone=verdicts:1m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream function { server 127.0.0.1:%(behind)d; keepalive 64; }
    server {
        listen 127.0.0.1:%(port)d;
        listen 127.0.0.1:%(tls_port)d ssl;
        ssl_certificate %(certificate)s;
        ssl_certificate_key %(key)s;
        ssl_protocols TLSv1.3;
        location = /static { return 200 '%(static)s'; }
        location = /proxy { proxy_pass http://function; }
        location = /guarded {
            auth_request /verdict;
            limit_req zone=tenants burst=100000 nodelay;
            access_log access.log told;
            proxy_pass http://function;
        }
        location = /verdict {
            internal;
            proxy_pass http://function;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_cache verdicts;
            proxy_cache_key $http_authorization;
            proxy_cache_valid 200 60s;
        }
    }
}
"""


def answers(url, **kw):
    with urllib.request.urlopen(urllib.request.Request(url, **kw), timeout=60) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def process(command, port, **kw):
    """Its id, once it answers or at least listens."""
    with on(processors()[0]):
        started = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).close()
                break
            if started.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {started.returncode}")
            time.sleep(0.1)
        yield started.pid
    finally:
        started.terminate()
        started.wait(60)


@contextlib.contextmanager
def nginx(folder, behind, certificate, key):
    """(id, port, port of TLS); None where it is not set up."""
    program = setup_path("nginx")
    if not program:
        yield None
        return
    folder.mkdir()
    ports = {"port": free_port(), "tls_port": free_port()}
    text = CONFIGURATION % {"user": "user root;" if os.geteuid() == 0 else "", "behind": behind, "certificate": certificate, "key": key,
                            "static": STATIC, **ports}
    (folder / "nginx.conf").write_text(text)
    command = [program / "usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log", "-g", "daemon off;"]
    with process(command, ports["port"]) as pid:
        yield pid, ports["port"], ports["tls_port"]


@contextlib.contextmanager
def ministack(folder, behind, certificate, key):
    """The same."""
    python = setup_path("venv-ministack")
    if not python:
        yield None
        return
    folder.mkdir()
    port, tls_port = free_port(), free_port()
    settings = folder / "hypercorn.toml"
    settings.write_text(f'bind = ["127.0.0.1:{tls_port}"]\ninsecure_bind = ["127.0.0.1:{port}"]\ncertfile = "{certificate}"\nkeyfile = "{key}"\n'
                        'alpn_protocols = ["http/1.1"]\n')
    command = [python / "bin/python", "-m", "hypercorn", "-c", settings, "ministack.app:app"]
    with process(command, port, cwd=folder, env={**os.environ, "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}) as pid:
        api = boto3.client("apigateway", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="test",
                           aws_secret_access_key="test")
        rest = api.create_rest_api(name="bench")["id"]
        root = api.get_resources(restApiId=rest)["items"][0]["id"]
        for name, method, integration in (("static", "GET", {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode":200}'}}),
                                          ("proxy", "POST", {"type": "HTTP_PROXY", "uri": f"http://127.0.0.1:{behind}/", "integrationHttpMethod": "POST"})):
            at = {"restApiId": rest, "resourceId": api.create_resource(restApiId=rest, parentId=root, pathPart=name)["id"], "httpMethod": method}
            api.put_method(**at, authorizationType="NONE")
            api.put_integration(**at, **integration)
            if integration["type"] == "MOCK":
                api.put_method_response(**at, statusCode="200")
                api.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": STATIC})
        api.create_deployment(restApiId=rest, stageName="v1")
        yield pid, f"{port}/restapis/{rest}/v1/_user_request_", f"{tls_port}/restapis/{rest}/v1/_user_request_"


def main():
    args = arguments(seconds=8, connections=32)
    rows = []

    def measured(name, pids, ports, path, key=None, body=None):
        for how, port in zip(("plain", "TLS 1.3"), ports):
            url = f"{'https' if how != 'plain' else 'http'}://localhost:{port}{path}"
            rows.append([f"{name}, {how}", *wrk(url, args.connections, args.seconds, pids, key, body)])

    with scratch() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        region, tls_port = Region(folder / "data"), free_port()
        with on(processors()[0]):
            region.run("up", "--detach", "--tls-port", tls_port)
        stack.callback(region.down)
        ports, pids = (region.port, tls_port), [region.pid]
        certificate, key = (region.data / "tls" / file for file in ("server.pem", "server.key"))
        answer = answers(region.url + "/v1/logs", method="POST", data=b"{}",
                         headers={"Authorization": f"Bearer {region.key}", "Content-Type": "application/json"})
        json.loads(answer)
        behind = free_port()
        function = stack.enter_context(process([BUILD / "bench" / "answer", behind, answer], behind))
        measured("static: Prism", pids, ports, "/v1/health")
        with nginx(folder / "nginx", behind, certificate, key) as found:
            if found:
                pid, *at = found
                assert answers(f"http://127.0.0.1:{at[0]}/static") == STATIC
                assert answers(f"http://127.0.0.1:{at[0]}/guarded", method="POST", data=b"{}") == answer
                measured("static: nginx", [pid], at, "/static")
                measured("function: Prism", pids, ports, "/v1/logs", region.key, "{}")
                measured("function: nginx, a proxy", [pid, function], at, "/proxy", region.key, "{}")
                measured("function: nginx, with verdicts, limits, log", [pid, function], at, "/guarded", region.key, "{}")
            else:
                print("nginx is missing: run tools/setup bench")
                measured("function: Prism", pids, ports, "/v1/logs", region.key, "{}")
        with ministack(folder / "ministack", behind, certificate, key) as found:
            if found:
                pid, *at = found
                assert answers(f"http://127.0.0.1:{at[0]}/static") == STATIC
                assert answers(f"http://127.0.0.1:{at[0]}/proxy", method="POST", data=b"{}") == answer
                measured("static: MiniStack", [pid], at, "/static")
                measured("function: MiniStack, a proxy", [pid, function], at, "/proxy", None, "{}")
            else:
                print("MiniStack is missing: run tools/setup bench")
        table(HEADER, rows)
        print(f"{args.connections} connections, server on processor {processors()[0]}, generator (wrk, one thread) on {processors()[1]}; "
              "where the generator is near 1 of a core it is what is measured, and requests / CPU s says more")


main()

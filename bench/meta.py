"""Catalog lookups a second on PostgreSQL 15 over TLS, beside the same statements through libpq's blocking calls (bench/lookups.c)."""

import subprocess

import postgres_server
from measure import BUILD, arguments


def main():
    args = arguments(runs=20)
    with postgres_server.server() as server:
        server.sql("CREATE DATABASE bench TEMPLATE template0")
        url = server.url("bench")
        subprocess.run([BUILD / "bench" / "lookups", url, url + "&sslmode=verify-full", str(args.runs)], check=True)


main()

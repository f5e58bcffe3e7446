"""Signed tokens, with a JWT library that nobody here wrote on both sides: what the region issues it verifies, and what it signs with the region's own
key the region takes; everything else is refused with the one answer."""

import base64
import json
import time
import uuid

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from conftest import Region
from region_kit import problem

ALGORITHMS = ["EdDSA"]


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("tokens") / "data").up()
    r.key_id = r.key.split("_")[1]
    yield r
    assert r.status()["phase"] == "serving"
    r.down()


def issue(region, key=None, status=201, **wish):
    answer = region.call("POST", "/v1/tokens", key=key or region.key, json=wish)
    if status != 201:
        return problem(answer, status)
    assert answer.status_code == 201, answer.text
    return answer.json()


def public_keys(region):
    return json.loads(region.run("invoke", "rotation", "-", input='{"op":"public-keys"}').stdout)["keys"]


def ask(region, token):
    return region.call("GET", "/v1/datasets", key=token)


def signed(claims, key, **header):
    return jwt.encode(claims, key, algorithm="EdDSA", headers=header)


@pytest.fixture
def claims(region):
    """As the region itself writes them."""
    token = issue(region)["token"]
    return jwt.decode(token, options={"verify_signature": False})


def test_what_the_region_issues_a_foreign_library_verifies(region):
    answer = issue(region, scopes=["query"], expires_in_s=600)
    header = jwt.get_unverified_header(answer["token"])
    assert header["alg"] == "EdDSA" and header["typ"] == "JWT"
    jwk = next(k for k in public_keys(region) if k["kid"] == header["kid"])
    found = jwt.decode(answer["token"], jwt.PyJWK(jwk).key, algorithms=ALGORITHMS, issuer="prism", options={"verify_aud": False, "require": ["exp", "iat", "nbf", "sub", "jti"]})
    assert found["aud"].startswith("prism:") and found["scope"] == "query" and found["sub"] == answer["tenant"] == "default"
    assert found["key"] == answer["key_id"] == region.key_id and found["jti"] == answer["id"]
    assert found["exp"] - found["iat"] == 600 and abs(found["iat"] - time.time()) < 600


def test_a_token_opens_what_it_says_and_no_more(region):
    region.ingest("tokens", [{"n": 1}])
    query, send = issue(region, scopes=["query"])["token"], issue(region, scopes=["ingest"])["token"]
    assert region.one("SELECT count(*) FROM tokens", key=query) == 1
    assert region.ingest("tokens", [{"n": 2}], key=query).status_code == 403
    assert region.ingest("tokens", [{"n": 2}], key=send).status_code == 200
    assert region.call("POST", "/v1/query", key=send, json={"sql": "SELECT 1"}).status_code == 403
    for token in (query, send):
        problem(region.call("GET", "/v1/admin/tenants/default/keys", key=token), 403)
        problem(region.call("POST", "/v1/admin/tenants/default/keys", key=token, json={}), 403)
        problem(region.call("POST", "/v1/tokens", key=token, json={}), 403)


def test_no_token_has_more_than_its_key(region):
    reader = region.tenant("tokens-reader", scopes="query")
    issue(region, reader, 403, scopes=["ingest"])
    issue(region, reader, 400, scopes=["admin"])
    assert issue(region, reader)["scopes"] == ["query"]
    for wish in ({"expires_in_s": 0}, {"expires_in_s": 86401}, {"scopes": []}, {"tenant": "default"}, {"sub": "default"}):
        issue(region, reader, 400, **wish)


def test_a_token_ends_with_its_key_and_its_tenant(region):
    first = region.tenant("tokens-gone")
    second = region.run("key", "create", "tokens-gone").stdout.split()[0]
    one, two = issue(region, first)["token"], issue(region, second)["token"]
    assert ask(region, one).status_code == ask(region, two).status_code == 200
    region.run("key", "revoke", "tokens-gone", first)
    problem(ask(region, one), 401)
    assert ask(region, two).status_code == 200
    region.call("PATCH", "/v1/admin/tenants/tokens-gone", key=region.admin_key, json={"status": "suspended"})
    problem(ask(region, two), 403)
    region.call("DELETE", "/v1/admin/tenants/tokens-gone", key=region.admin_key)
    problem(ask(region, two), 401)


def test_a_token_ends_by_itself(region):
    token = issue(region, expires_in_s=1)["token"]
    time.sleep(2.1)  # never shown before, so that no gateway keeps it
    problem(ask(region, token), 401)


def test_forgeries_all_get_the_one_answer(region, claims):
    own = public_keys(region)[0]
    kid, good = own["kid"], issue(region)["token"]
    head, body, signature = good.split(".")
    stranger = ed25519.Ed25519PrivateKey.generate()
    public = base64.urlsafe_b64decode(own["x"] + "=")
    part = lambda what: base64.urlsafe_b64encode(json.dumps(what).encode()).rstrip(b"=").decode()
    other = part(claims | {"sub": "_system"})
    forged = {
        "another's signature": signed(claims, stranger, kid=kid),
        "another's key": signed(claims, stranger, kid="A" * 43),
        "no key": signed(claims, stranger),
        "none": jwt.encode(claims, None, algorithm="none", headers={"kid": kid}),
        "none with a signature": f"{part({'alg': 'none', 'kid': kid})}.{body}.{signature}",
        "HMAC by the public key": jwt.encode(claims, public, algorithm="HS256", headers={"kid": kid}),
        "RSA": jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": kid}),
        "key inside": signed(claims, stranger, kid=kid, jwk={"kty": "OKP", "crv": "Ed25519", "x": own["x"]}),
        "other claims": f"{head}.{other}.{signature}",
        "another token's signature": f"{head}.{body}.{issue(region)['token'].split('.')[2]}",
        "empty signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "padding": good + "=",
        "JSON form": base64.urlsafe_b64encode(json.dumps({"payload": body, "protected": head, "signature": signature}).encode()).decode() + ".",
        "key with a dot": region.key + ".",
        "long": good + "A" * 4000,
    }
    bodies = set()
    for name, token in forged.items():
        answer = ask(region, token)
        assert answer.status_code == 401, name
        told = {k: v for k, v in answer.json().items() if k != "requestId"}
        bodies.add(json.dumps(told, sort_keys=True))
    answer = ask(region, f"prism_{uuid.uuid4().hex[:16]}_{'0' * 48}")
    bodies.add(json.dumps({k: v for k, v in answer.json().items() if k != "requestId"}, sort_keys=True))
    assert len(bodies) == 1, bodies
    assert ask(region, good).status_code == 200


def test_a_foreign_library_s_tokens_by_the_region_s_own_key(tmp_path):
    """Whoever holds the signing key still gets no more than some living key of that tenant may."""
    region = Region(tmp_path / "data")
    seed = ed25519.Ed25519PrivateKey.generate()
    raw = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
    x = raw(seed.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))
    kid = jwt_thumbprint(x)
    d = raw(seed.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
    value = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x, "d": d, "since": "2026-01-01T00:00:00Z"}]})
    region.up()
    try:
        region.run("secret", "create", "token-signing-key", "--from", "-", input=value)
        token = issue(region)["token"]
        assert jwt.get_unverified_header(token)["kid"] == kid
        claims = jwt.decode(token, seed.public_key(), algorithms=ALGORITHMS, options={"verify_aud": False})
        renew = lambda **change: signed({**claims, "jti": str(uuid.uuid4()), **change}, seed, kid=kid)
        now = claims["iat"]
        assert ask(region, renew()).status_code == 200
        assert ask(region, renew(nbf=now + 20, exp=now + 3000)).status_code == 200  # clocks differ
        reader = region.run("key", "create", "--scopes", "query").stdout.split()[0].split("_")[1]
        assert ask(region, renew(key=reader, scope="query")).status_code == 200
        for name, token in {
            "expired": renew(iat=now - 900, nbf=now - 900, exp=now - 1), "early": renew(nbf=now + 3000, exp=now + 3600), "long": renew(exp=now + 86401),
            "no end": signed({k: v for k, v in claims.items() if k != "exp"}, seed, kid=kid), "other stack": renew(aud="prism:prod:eu-west-1"),
            "list": renew(aud=[claims["aud"]]), "issuer": renew(iss="https://elsewhere"), "admin": renew(scope="admin"), "all": renew(scope="ingest query admin"),
            "wider than its key": renew(key=reader, scope="ingest"), "no such key": renew(key="0" * 16), "another's key": renew(key=region.admin_key.split("_")[1]),
            "another tenant": renew(sub="_system"), "type": signed(claims, seed, kid=kid, typ="at+jwt"), "crit": signed(claims, seed, kid=kid, crit=["exp"]),
            "more": renew(restricted=True), "no id": renew(jti="x"),
        }.items():
            assert ask(region, token).status_code == 401, name
    finally:
        region.down()


def jwt_thumbprint(x):
    import hashlib

    text = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_a_rotation_ends_no_token(region):
    token = issue(region)["token"]
    region.run("secret", "rotate", "token-signing-key")
    assert ask(region, token).status_code == 200
    assert ask(region, issue(region)["token"]).status_code == 200


def test_by_the_command(region):
    token = region.run("token", "create", "--scopes", "query", "--expires-in", "15m").stdout.strip()
    told = region.json("token", "inspect", token)
    assert told["claims"]["scope"] == "query" and told["header"]["alg"] == "EdDSA" and told["verified"] is False
    assert told["claims"]["exp"] - told["claims"]["iat"] == 900
    assert "tenant   default" in region.run("token", "inspect", "-", input=token + "\n").stdout
    assert region.json("query", "SELECT 7 AS n", "--key", token)["rows"] == [[7]]
    assert region.run("token", "create", "--key", token, check=False).returncode == 4
    assert region.run("token", "create", "--scopes", "admin", check=False).returncode == 4
    assert region.run("token", "create", "--expires-in", "25h", check=False).returncode == 2
    wrong = region.run("token", "inspect", "prism_no", "--json", check=False)
    assert wrong.returncode == 1 and "no token" in json.loads(wrong.stdout)["error"]


def test_no_token_in_logs(region):
    token = issue(region)["token"]
    assert ask(region, token).status_code == 200
    signature = token.split(".")[2].encode()
    region.run("logs", "authorizer")
    for file in region.data.rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert signature not in file.read_bytes(), file

#!/usr/bin/env python3
"""moto_server plus the few calls the Terraform AWS provider 6.x needs and moto 5.2 lacks.

  motox.py PORT [--with-stdin]     (same port serves every service, every region, every account)
                                   --with-stdin: ends when its standard input does, so that it never outlives who started it

1. CloudWatch over smithy rpc-v2-cbor (the only protocol the provider speaks) -> moto's Query API.
2. "not implemented" answers become 501 instead of 500, so the SDK does not retry them.
3. Small in-memory CRUD for resource types moto has no route for.
4. Patches: KMS replica keys, DynamoDB global-table replicas (items are shared), Route 53 change status.
"""
import base64, copy, io, json, os, re, struct, sys, threading, time, uuid, datetime as dt
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
from collections import defaultdict

# ---------------------------------------------------------------- CBOR (what CloudWatch needs of it)
def cbor(o):
    def head(m, n):
        for i, (f, lim) in enumerate((("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32), ("Q", 1 << 64))):
            if i == 0 and n < 24: return bytes([m << 5 | n])
            if n < lim: return bytes([m << 5 | 24 + i]) + struct.pack(">" + f, n)
    if o is None: return b"\xf6"
    if o is True: return b"\xf5"
    if o is False: return b"\xf4"
    if isinstance(o, int): return head(0, o) if o >= 0 else head(1, -1 - o)
    if isinstance(o, float): return b"\xfb" + struct.pack(">d", o)
    if isinstance(o, bytes): return head(2, len(o)) + o
    if isinstance(o, str): b = o.encode(); return head(3, len(b)) + b
    if isinstance(o, dt.datetime): return b"\xc1" + cbor(o.timestamp())
    if isinstance(o, (list, tuple)): return head(4, len(o)) + b"".join(map(cbor, o))
    if isinstance(o, dict): return head(5, len(o)) + b"".join(cbor(k) + cbor(v) for k, v in o.items())
    raise TypeError(type(o))

def uncbor(f):
    b = f.read(1)[0]; m, n = b >> 5, b & 31
    if m == 7:
        if n in (20, 21): return n == 21
        if n in (22, 23): return None
        if n == 31: return StopIteration
        return struct.unpack(">" + {25: "e", 26: "f", 27: "d"}[n], f.read(1 << n - 24))[0]
    indef = n == 31
    if not indef and n > 23: n = int.from_bytes(f.read(1 << n - 24), "big")
    if m == 0: return n
    if m == 1: return -1 - n
    if m == 6:
        v = uncbor(f); return dt.datetime.fromtimestamp(v, dt.timezone.utc) if n == 1 else v
    def items():
        if indef:
            while (v := uncbor(f)) is not StopIteration: yield v
        else:
            for _ in range(n): yield uncbor(f)
    if m in (2, 3):
        r = b"".join(x if isinstance(x, bytes) else x.encode() for x in items()) if indef else f.read(n)
        return r if m == 2 else r.decode()
    if m == 4: return list(items())
    if m == 5:
        d = {}
        if indef:
            while (k := uncbor(f)) is not StopIteration: d[k] = uncbor(f)
        else:
            for _ in range(n): k = uncbor(f); d[k] = uncbor(f)
        return d

# ---------------------------------------------------------------- helpers
ACCT = os.environ.get("MOTO_ACCOUNT_ID", "123456789012")
S = defaultdict(dict)          # (kind, region) -> {key: value}
TAGS = {}                      # arn -> {k: v}
class Err(Exception):
    def __init__(self, code, msg="", status=400): self.code, self.msg, self.status = code, msg or code, status
def need(d, k, code="ResourceNotFoundException"):
    if k not in d: raise Err(code, f"{k} not found", 404)
    return d[k]
def tagd(t): return t if isinstance(t, dict) else {x.get("Key", x.get("key")): x.get("Value", x.get("value")) for x in t or []}
def tagl(a): return [{"Key": k, "Value": v} for k, v in TAGS.get(a, {}).items()]

# ---- X-Ray (rest-json, one path per call)
def xray(r, op, b):
    G, R = S["xg", r], S["xs", r]
    if op == "CreateGroup":
        a = f"arn:aws:xray:{r}:{ACCT}:group/{b['GroupName']}/{uuid.uuid4().hex.upper()[:20]}"
        TAGS[a] = tagd(b.pop("Tags", None)); b.setdefault("InsightsConfiguration", {"InsightsEnabled": False, "NotificationsEnabled": False})
        G[a] = {**b, "GroupARN": a}; return {"Group": G[a]}
    if op in ("Group", "GetGroup", "UpdateGroup", "DeleteGroup"):
        a = b.get("GroupARN") or next((k for k, v in G.items() if v["GroupName"] == b.get("GroupName")), "?")
        need(G, a, "InvalidRequestException")
        if op == "DeleteGroup": del G[a]; return {}
        if op == "UpdateGroup": G[a].update(b)
        return {"Group": G[a]}
    if op == "CreateSamplingRule":
        s = b["SamplingRule"]; s["RuleARN"] = f"arn:aws:xray:{r}:{ACCT}:sampling-rule/{s['RuleName']}"; s.setdefault("Attributes", {})
        TAGS[s["RuleARN"]] = tagd(b.get("Tags")); R[s["RuleName"]] = s
        return {"SamplingRuleRecord": {"SamplingRule": s}}
    if op in ("Groups", "GetGroups"): return {"Groups": list(G.values())}
    if op == "GetSamplingRules": return {"SamplingRuleRecords": [{"SamplingRule": s} for s in R.values()]}
    if op == "UpdateSamplingRule":
        u = b["SamplingRuleUpdate"]; s = need(R, u.get("RuleName") or u["RuleARN"].rsplit("/", 1)[1]); s.update(u); return {"SamplingRuleRecord": {"SamplingRule": s}}
    if op == "DeleteSamplingRule": return {"SamplingRuleRecord": {"SamplingRule": R.pop(b.get("RuleName") or b["RuleARN"].rsplit("/", 1)[1])}}
    if op == "PutEncryptionConfig": S["xe", r]["c"] = {"Status": "ACTIVE", **b}; return {"EncryptionConfig": S["xe", r]["c"]}
    if op == "EncryptionConfig": return {"EncryptionConfig": S["xe", r].get("c", {"Status": "ACTIVE", "Type": "NONE"})}
    if op == "ListTagsForResource": return {"Tags": tagl(b["ResourceARN"])}
    if op == "TagResource": TAGS.setdefault(b["ResourceARN"], {}).update(tagd(b["Tags"])); return {}
    if op == "UntagResource": [TAGS.get(b["ResourceARN"], {}).pop(k, 0) for k in b["TagKeys"]]; return {}

# ---- Lambda: provisioned concurrency, code signing, recursion
def lam(r, m, path, q, b):
    if x := re.match(r"/2019-09-30/functions/([^/]+)/provisioned-concurrency$", path):
        P = S["pc", r]; k = x[1].split(":")[-1], q.get("Qualifier")
        if m == "PUT": n = b["ProvisionedConcurrentExecutions"]; P[k] = {"RequestedProvisionedConcurrentExecutions": n, "AvailableProvisionedConcurrentExecutions": n, "AllocatedProvisionedConcurrentExecutions": n, "Status": "READY", "LastModified": "2026-01-01T00:00:00+0000"}; return P[k]
        if k not in P: raise Err("ProvisionedConcurrencyConfigNotFoundException", "none", 404)
        return P.pop(k) and {} if m == "DELETE" else P[k]
    if x := re.match(r"/2020-04-22/code-signing-configs/?([^/]*)$", path):
        C = S["csc", r]
        if m == "POST":
            i = "csc-" + uuid.uuid4().hex[:17]; a = f"arn:aws:lambda:{r}:{ACCT}:code-signing-config:{i}"; TAGS[a] = b.pop("Tags", None) or {}
            C[a] = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}, "Description": "", **b, "CodeSigningConfigId": i, "CodeSigningConfigArn": a, "LastModified": "2026-01-01T00:00:00Z"}
            return {"CodeSigningConfig": C[a]}
        need(C, x[1])
        if m == "DELETE": del C[x[1]]; return {}
        if m == "PUT": C[x[1]].update(b)
        return {"CodeSigningConfig": C[x[1]]}
    if m == "POST" and re.match(r"/2015-03-31/functions/?$", path) and b.get("CodeSigningConfigArn"): S["fcsc", r][b["FunctionName"]] = b["CodeSigningConfigArn"]; return None
    if x := re.match(r"/2020-06-30/functions/([^/]+)/code-signing-config$", path):
        F = S["fcsc", r]
        if m == "PUT": F[x[1]] = b["CodeSigningConfigArn"]
        if m == "DELETE": F.pop(x[1], 0); return {}
        return {"CodeSigningConfigArn": F.get(x[1]), "FunctionName": x[1]} if x[1] in F else {}
    if x := re.match(r"/2017-03-31/tags/(arn:aws:lambda:[^:]+:\d+:code-signing-config:.+)$", path):
        if m == "GET": return {"Tags": TAGS.get(x[1], {})}
        TAGS.setdefault(x[1], {}).update((b or {}).get("Tags", {})); return {}

# ---- EFS: backup policy write, replication configuration
def efs(r, m, path, q, b):
    if x := re.match(r"/2015-02-01/file-systems/([^/]+)/backup-policy$", path):
        if m == "PUT": S["ebp", r][x[1]] = b["BackupPolicy"]["Status"]
        if m == "PUT" or x[1] in S["ebp", r]: return {"BackupPolicy": {"Status": S["ebp", r][x[1]]}}
    if x := re.match(r"/2015-02-01/file-systems/([^/]+)/replication-configuration$", path):
        E = S["erc", r]; i = x[1]
        if m == "POST":
            d = b["Destinations"][0]; dr = d.get("Region") or d["AvailabilityZoneName"][:-1]
            from moto.efs.models import efs_backends
            fs = efs_backends[ACCT][dr].create_file_system(uuid.uuid4().hex, "generalPurpose", True, None, "elastic", None, None, False, []) if not d.get("FileSystemId") else None
            E[i] = {"SourceFileSystemId": i, "SourceFileSystemRegion": r, "SourceFileSystemArn": f"arn:aws:elasticfilesystem:{r}:{ACCT}:file-system/{i}", "OriginalSourceFileSystemArn": f"arn:aws:elasticfilesystem:{r}:{ACCT}:file-system/{i}", "CreationTime": time.time(),
                    "Destinations": [{"FileSystemId": d.get("FileSystemId") or getattr(fs, "file_system_id", "fs-0000"), "Region": dr, "Status": "ENABLED", "OwnerId": ACCT}]}
            return E[i]
        if m == "DELETE": need(E, i, "ReplicationNotFound"); del E[i]; return {}
    if m == "PUT" and re.match(r"/2015-02-01/file-systems/[^/]+/protection$", path):
        return {"ReplicationOverwriteProtection": b["ReplicationOverwriteProtection"]}
    if m == "DELETE" and (x := re.match(r"/2015-02-01/file-systems/([^/]+)/policy$", path)):
        from moto.efs.models import efs_backends
        efs_backends[ACCT][r].file_systems_by_id[x[1]].file_system_policy = None; return {}
    if path == "/2015-02-01/file-systems/replication-configurations":
        i = q.get("FileSystemId"); E = S["erc", r]
        if i and i not in E: raise Err("ReplicationNotFound", "none", 404)
        return {"Replications": [v for k, v in E.items() if not i or k == i]}

# ---- Backup: selections, tags
def backup(r, m, path, q, b):
    if x := re.match(r"/backup/plans/([^/]+)/selections/?([^/]*)/?$", path):
        B = S["bs", r]
        if m == "PUT": i = str(uuid.uuid4()); B[x[1], i] = {"BackupSelection": b["BackupSelection"], "SelectionId": i, "BackupPlanId": x[1], "CreationDate": 1767225600}; return {k: v for k, v in B[x[1], i].items() if k != "BackupSelection"}
        if not x[2]: return {"BackupSelectionsList": [{**{k: v for k, v in s.items() if k != "BackupSelection"}, "SelectionName": s["BackupSelection"]["SelectionName"], "IamRoleArn": s["BackupSelection"].get("IamRoleArn")} for (p, _), s in B.items() if p == x[1]]}
        if (x[1], x[2]) not in B: raise Err("ResourceNotFoundException", "Cannot find Backup plan", 400)
        if m == "DELETE": del B[x[1], x[2]]; return {}
        return B[x[1], x[2]]
    if m == "GET" and re.match(r"/backup-vaults/[^/]+/recovery-points/?$", path): return {"RecoveryPoints": []}
    if path.startswith("/tags/") and m == "GET":
        from moto.backup.models import backup_backends
        return {"Tags": backup_backends[ACCT][r].list_tags(path[6:].rstrip("/"))}

# ---- S3: sub-resources moto stores only in part are returned as sent; tags through S3 Control
ECHO = ("replication", "intelligent-tiering", "notification", "logging", "metrics")
def s3_tags(m, path, raw):
    from moto.s3.models import s3_backends
    x = re.match(r"/v20180820/tags/(arn:aws:s3:::([^/]+))$", path)
    if not x: return None
    be = s3_backends[ACCT]["aws"]; bk = be.buckets.get(x[2])
    if bk is None: return "404 Not Found", b"<ErrorResponse><Error><Code>NoSuchBucket</Code><Message>none</Message></Error></ErrorResponse>"
    from xml.sax.saxutils import escape
    t = be.tagger.get_tag_dict_for_resource(bk.arn)
    if m == "GET": return "200 OK", ('<ListTagsForResourceResult xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags>%s</Tags></ListTagsForResourceResult>' % "".join(f"<Tag><Key>{escape(k)}</Key><Value>{escape(v)}</Value></Tag>" for k, v in t.items())).encode()
    if m == "POST": be.tagger.tag_resource(bk.arn, [{"Key": k, "Value": v} for k, v in re.findall(r"<Key>(.*?)</Key><Value>(.*?)</Value>", raw.decode())]); return "204 No Content", b""
    return None

# ---- RDS: proxy endpoints (Query)
def rds(r, raw):
    from urllib.parse import parse_qs
    p = {k: v[0] for k, v in parse_qs(raw.decode()).items()}; op = p.get("Action", "")
    if op == "CreateGlobalCluster": TAGS[f"arn:aws:rds::{ACCT}:global-cluster:{p['GlobalClusterIdentifier']}"] = {p[f"Tags.Tag.{i}.Key"]: p[f"Tags.Tag.{i}.Value"] for i in range(1, 60) if f"Tags.Tag.{i}.Key" in p}
    if op == "CreateDBInstance": S["pi", r][p["DBInstanceIdentifier"]] = p.get("EnablePerformanceInsights") == "true"
    if "DBProxyEndpoint" not in op and not (op in ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource") and (":db-proxy-endpoint:" in p.get("ResourceName", "") or ":global-cluster:" in p.get("ResourceName", ""))): return None
    E = S["pe", r]; n = p.get("DBProxyEndpointName"); lst = lambda pre: [v for k, v in p.items() if k.startswith(pre + ".")]
    if op == "ListTagsForResource": body = "<TagList>%s</TagList>" % "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in TAGS.get(p["ResourceName"], {}).items())
    elif "Tags" in op: body = ""
    else:
        if op.startswith("Create"):
            a = f"arn:aws:rds:{r}:{ACCT}:db-proxy-endpoint:prx-endpoint-{uuid.uuid4().hex[:17]}"
            TAGS[a] = {p[f"Tags.Tag.{i}.Key"]: p[f"Tags.Tag.{i}.Value"] for i in range(1, 60) if f"Tags.Tag.{i}.Key" in p}
            E[n] = dict(DBProxyEndpointName=n, DBProxyEndpointArn=a, DBProxyName=p["DBProxyName"], Status="available", VpcId="vpc-0", TargetRole=p.get("TargetRole", "READ_WRITE"), IsDefault="false", Endpoint=f"{n}.endpoint.proxy-x.{r}.rds.amazonaws.com", CreatedDate="2026-01-01T00:00:00Z", _s=lst("VpcSubnetIds"), _g=lst("VpcSecurityGroupIds"))
        if n and n not in E: return "404 Not Found", f'<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type><Code>DBProxyEndpointNotFoundFault</Code><Message>{n}</Message></Error></ErrorResponse>'.encode()
        if op.startswith("Modify"): E[n]["_g"] = lst("VpcSecurityGroupIds") or E[n]["_g"]
        one = lambda e: "".join(f"<{k}>{v}</{k}>" for k, v in e.items() if k[0] != "_") + "<VpcSubnetIds>%s</VpcSubnetIds><VpcSecurityGroupIds>%s</VpcSecurityGroupIds>" % tuple("".join(f"<member>{v}</member>" for v in e[k]) for k in ("_s", "_g"))
        if op.startswith("Describe"): body = "<DBProxyEndpoints>%s</DBProxyEndpoints>" % "".join(f"<member>{one(e)}</member>" for k, e in E.items() if (not n or k == n) and p.get("DBProxyName", e["DBProxyName"]) == e["DBProxyName"])
        else: body = f"<DBProxyEndpoint>{one(E[n])}</DBProxyEndpoint>"
        if op.startswith("Delete"): del E[n]
    return "200 OK", f'<{op}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><{op}Result>{body}</{op}Result></{op}Response>'.encode()

# ---- EC2: four fields moto drops are put back into its answers
def ec2(r, raw, out):
    from urllib.parse import parse_qs
    from xml.sax.saxutils import escape
    p = {k: v[0] for k, v in parse_qs(raw.decode(errors="replace")).items()}; op = p.get("Action", ""); X = S["ec2x", r]; o = out.decode(errors="replace")
    if op == "CreateFlowLogs" and "DestinationOptions.FileFormat" in p:
        d = "<destinationOptions><fileFormat>%s</fileFormat><hiveCompatiblePartitions>%s</hiveCompatiblePartitions><perHourPartition>%s</perHourPartition></destinationOptions>" % (p["DestinationOptions.FileFormat"], p.get("DestinationOptions.HiveCompatiblePartitions", "false"), p.get("DestinationOptions.PerHourPartition", "false"))
        for i in re.findall(r"fl-[0-9a-f]+", o): X["flowLogId", i] = d
    if op in ("CreateVpcEndpoint", "ModifyVpcEndpoint") and any(k.startswith("DnsOptions.") for k in p):
        d = "<dnsOptions>%s</dnsOptions>" % "".join(f"<{n}>{p['DnsOptions.' + n[0].upper() + n[1:]]}</{n}>" for n in ("dnsRecordIpType", "privateDnsOnlyForInboundResolverEndpoint") if "DnsOptions." + n[0].upper() + n[1:] in p)
        X["vpcEndpointId", p.get("VpcEndpointId") or re.search(r"vpce-[0-9a-f]+", o)[0]] = d
    if op == "CreateVpcEndpoint" and "ServiceRegion" in p: X["vpcEndpointId", re.search(r"vpce-[0-9a-f]+", o)[0]] = f"<serviceRegion>{p['ServiceRegion']}</serviceRegion>"
    if op.startswith("AuthorizeSecurityGroup"):
        ds = [v for k, v in p.items() if k.endswith(".Description")]; ids = re.findall(r"<securityGroupRuleId>(sgr-[0-9a-f]+)<", o)
        if len(ds) == len(ids) == 1: X["securityGroupRuleId", ids[0]] = f"<description>{escape(ds[0])}</description>"
    if op in ("DescribeFlowLogs", "DescribeVpcEndpoints", "DescribeSecurityGroupRules"):
        t = {"DescribeFlowLogs": "flowLogId", "DescribeVpcEndpoints": "vpcEndpointId", "DescribeSecurityGroupRules": "securityGroupRuleId"}[op]
        for (k, i), d in X.items():
            if k == t:
                tag = re.match("<([A-Za-z]+)", d)[1]
                parts = o.split(f"<{t}>{i}</{t}>")
                if len(parts) == 2 and not (t == "securityGroupRuleId" and "<description>" in parts[1].split("</item>")[0]): o = f"<{t}>{i}</{t}>".join([parts[0], d + parts[1]])
        return o.encode()
    return out

# ---- CloudFront policies (rest-xml): the configuration is stored as sent
CF = {"cache-policy": ("CachePolicy", "NoSuchCachePolicy"), "origin-request-policy": ("OriginRequestPolicy", "NoSuchOriginRequestPolicy"), "response-headers-policy": ("ResponseHeadersPolicy", "NoSuchResponseHeadersPolicy")}
def cloudfront(m, path, raw, qs=""):
    ns = b'xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"'; D = S["cfd", "g"]
    if x := re.match(r"/2020-05-31/distribution(?:/([^/]+))?(/config)?$", path):       # distributions: the configuration as sent, origin groups included
        i = x[1]
        if m == "GET" and not i:
            item = lambda i: b"<DistributionSummary><Id>%s</Id><ARN>arn:aws:cloudfront::%s:distribution/%s</ARN><Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><DomainName>%s.cloudfront.net</DomainName>" % (i.encode(), ACCT.encode(), i.encode(), i.lower().encode()) + re.sub(rb"</?DistributionConfig>", b"", D[i]) + b"</DistributionSummary>"
            return b"<DistributionList " + ns + b"><Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></DistributionList>" % (len(D), b"".join(map(item, D))), {"_status": "200 OK"}
        if m == "POST":
            i = "E" + uuid.uuid4().hex[:13].upper(); a = f"arn:aws:cloudfront::{ACCT}:distribution/{i}"
            TAGS[a] = dict((k.decode(), v.decode()) for k, v in re.findall(rb"<Key>(.*?)</Key><Value>(.*?)</Value>", (re.search(rb"<Tags>.*</Tags>", raw, re.S) or [b""])[0]))
        elif i not in D: raise Err("NoSuchDistribution", "none", 404)
        if m == "DELETE": del D[i]; return b"", {}
        if raw and m != "GET": c = re.search(rb"<DistributionConfig[ >].*</DistributionConfig>", raw, re.S)[0]; D[i] = re.sub(rb"^<DistributionConfig[^>]*>", b"<DistributionConfig>", c)
        a = f"arn:aws:cloudfront::{ACCT}:distribution/{i}"
        no = b"<%s><Enabled>false</Enabled><Quantity>0</Quantity></%s>"
        out = D[i] if x[2] and m == "GET" else b"<Distribution " + ns + b"><Id>" + i.encode() + b"</Id><ARN>" + a.encode() + b"</ARN><Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><InProgressInvalidationBatches>0</InProgressInvalidationBatches><DomainName>" + i.lower().encode() + b".cloudfront.net</DomainName>" + no % ((b"ActiveTrustedSigners",) * 2) + no % ((b"ActiveTrustedKeyGroups",) * 2) + D[i] + b"</Distribution>"
        return out, {"ETag": "D" + i[1:], "_status": "201 Created" if m == "POST" else "200 OK"}
    if path == "/2020-05-31/tagging":
        from urllib.parse import parse_qs
        a = parse_qs(qs).get("Resource", [""])[0]
        if ":distribution/" not in a: return None
        if m == "POST":
            if "Operation=Untag" in qs: [TAGS.get(a, {}).pop(k.decode(), 0) for k in re.findall(rb"<Key>(.*?)</Key>", raw)]
            else: TAGS.setdefault(a, {}).update((k.decode(), v.decode()) for k, v in re.findall(rb"<Key>(.*?)</Key><Value>(.*?)</Value>", raw))
            return b"", {}
        return (b"<Tags " + ns + b"><Items>%s</Items></Tags>") % b"".join(b"<Tag><Key>%s</Key><Value>%s</Value></Tag>" % (k.encode(), v.encode()) for k, v in TAGS.get(a, {}).items()), {"_status": "200 OK"}
    x = re.match(r"/2020-05-31/(cache-policy|origin-request-policy|response-headers-policy)(?:/([^/]+))?(/config)?$", path)
    if not x: return None
    T, code = CF[x[1]]; P = S["cf" + T, "g"]; i = x[2]
    if m == "POST": i = str(uuid.uuid4())
    elif i not in P: raise Err(code, "none", 404)
    if m == "DELETE": del P[i]; return b"", {}
    if m in ("POST", "PUT"): P[i] = re.sub(rb"^\s*<\?xml.*?\?>", b"", raw)
    ns = b'xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"'
    return (P[i] if x[3] else b"<%s %s><Id>%s</Id><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>%s</%s>" % (T.encode(), ns, i.encode(), P[i], T.encode())), {"ETag": "E1" + i[:8].upper(), "Location": f"https://cloudfront.amazonaws.com/2020-05-31/{x[1]}/{i}", "_status": "201 Created" if m == "POST" else "200 OK"}

# ---- Route 53: signing of zones
def dnssec(m, path, raw):
    K, Z = S["ksk", "g"], S["dnssec", "g"]
    tag = lambda n: (re.search(rf"<{n}>(.*?)</{n}>", raw.decode()) or [None, ""])[1]
    xml = lambda root, body: f'<{root} xmlns="https://route53.amazonaws.com/doc/2013-04-01/">{body}</{root}>'.encode()
    change = f"<ChangeInfo><Id>/change/C{uuid.uuid4().hex[:20].upper()}</Id><Status>INSYNC</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>"
    key = lambda k: "".join(f"<{n}>{v}</{n}>" for n, v in k.items())
    if path == "/2013-04-01/keysigningkey" and m == "POST":
        z, n = tag("HostedZoneId"), tag("Name")
        K[z, n] = {"Name": n, "KmsArn": tag("KeyManagementServiceArn"), "Flag": 257, "SigningAlgorithmMnemonic": "ECDSAP256SHA256", "SigningAlgorithmType": 13, "DigestAlgorithmMnemonic": "SHA-256", "DigestAlgorithmType": 2, "KeyTag": 12345,
                   "DigestValue": "AB" * 32, "PublicKey": "cHVibGlj", "DSRecord": "12345 13 2 " + "AB" * 32, "DNSKEYRecord": "257 3 13 cHVibGlj", "Status": tag("Status"), "CreatedDate": "2026-01-01T00:00:00Z", "LastModifiedDate": "2026-01-01T00:00:00Z"}
        return "201 Created", xml("CreateKeySigningKeyResponse", change + f"<KeySigningKey>{key(K[z, n])}</KeySigningKey>")
    if x := re.match(r"/2013-04-01/keysigningkey/([^/]+)/([^/]+)(?:/(activate|deactivate))?$", path):
        if (x[1], x[2]) not in K: return "404 Not Found", xml("ErrorResponse", "<Error><Type>Sender</Type><Code>NoSuchKeySigningKey</Code><Message>none</Message></Error>")
        if m == "DELETE": del K[x[1], x[2]]
        else: K[x[1], x[2]]["Status"] = "ACTIVE" if x[3] == "activate" else "INACTIVE"
        return "200 OK", xml({"DELETE": "Delete"}.get(m, (x[3] or "").capitalize()) + "KeySigningKeyResponse", change)
    if x := re.match(r"/2013-04-01/hostedzone/([^/]+)/(dnssec|enable-dnssec|disable-dnssec)$", path):
        if x[2] != "dnssec":
            Z[x[1]] = "SIGNING" if x[2][0] == "e" else "NOT_SIGNING"
            return "200 OK", xml(x[2].split("-")[0].capitalize() + "HostedZoneDNSSECResponse", change)
        return "200 OK", xml("GetDNSSECResponse", f"<Status><ServeSignature>{Z.get(x[1], 'NOT_SIGNING')}</ServeSignature></Status><KeySigningKeys>" + "".join(f"<member>{key(k)}</member>" for (z, _), k in K.items() if z == x[1]) + "</KeySigningKeys>")

# ---- JSON-target calls
def target(r, svc, op, b):
    if svc == "GraniteServiceVersion20100801":     # what others than the provider speak: only composite alarms are missing
        if op == "DescribeAlarms" and "CompositeAlarm" in (b.get("AlarmTypes") or []): return {"MetricAlarms": [], "CompositeAlarms": [{k: v for k, v in c.items() if k != "Tags"} for n, c in S["comp", r].items() if not b.get("AlarmNames") or n in b["AlarmNames"]]}
        return None
    if svc.startswith("Logs_"):
        Q, A, D = S["qd", r], S["ad", r], S["dp", r]
        if op == "PutQueryDefinition": i = b.get("queryDefinitionId") or str(uuid.uuid4()); b.pop("clientToken", 0); Q[i] = {**b, "queryDefinitionId": i, "lastModified": 0}; return {"queryDefinitionId": i}
        if op == "DescribeQueryDefinitions": return {"queryDefinitions": [v for v in Q.values() if v["name"].startswith(b.get("queryDefinitionNamePrefix", ""))]}
        if op == "DeleteQueryDefinition": return {"success": Q.pop(b["queryDefinitionId"], None) is not None}
        if op == "CreateLogAnomalyDetector": a = f"arn:aws:logs:{r}:{ACCT}:anomaly-detector:{uuid.uuid4()}"; TAGS[a] = b.pop("tags", None) or {}; A[a] = {**b, "anomalyDetectorStatus": "TRAINING" , "anomalyVisibilityTime": b.get("anomalyVisibilityTime", 21)}; return {"anomalyDetectorArn": a}
        if op in ("GetLogAnomalyDetector", "UpdateLogAnomalyDetector", "DeleteLogAnomalyDetector"):
            v = need(A, b["anomalyDetectorArn"])
            if op[0] == "D": del A[b["anomalyDetectorArn"]]; return {}
            if op[0] == "U": v.update(b)
            return v
        if op == "PutDataProtectionPolicy": D[b["logGroupIdentifier"]] = b["policyDocument"]; return dict(b)
        if op == "GetDataProtectionPolicy": k = b["logGroupIdentifier"]; return {"logGroupIdentifier": k, **({"policyDocument": D[k]} if k in D else {})}
        if op == "DeleteDataProtectionPolicy": D.pop(b["logGroupIdentifier"], 0); return {}
        if op == "ListTagsForResource" and ":anomaly-detector:" in b["resourceArn"]: return {"tags": TAGS.get(b["resourceArn"], {})}
    if svc == "DynamoDB_20120810" and op.endswith("ContributorInsights"):
        k = b["TableName"].split("/")[-1], b.get("IndexName")
        if op[0] == "U": S["ci", r][k] = b["ContributorInsightsAction"] == "ENABLE"
        if k not in S["ci", r]: return {"TableName": k[0], "ContributorInsightsStatus": "DISABLED"}
        return {"TableName": k[0], "ContributorInsightsStatus": "ENABLED" if S["ci", r][k] else "DISABLED", "ContributorInsightsMode": b.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS")}
    if svc == "AnyScaleFrontendService" and op == "RegisterScalableTarget" and b.get("Tags"): S["ast", r][b["ServiceNamespace"], b["ResourceId"], b["ScalableDimension"]] = b["Tags"]; return None
    if svc == "AnyScaleFrontendService":
        a = b.get("ResourceARN")
        if op == "ListTagsForResource":
            if a not in TAGS:
                from moto.applicationautoscaling.models import applicationautoscaling_backends as ab
                for t in [t for n in ab[ACCT][r].targets.values() for t in n.values()]:
                    if t.arn == a: TAGS[a] = dict(S["ast", r].get((t.service_namespace, t.resource_id, t.scalable_dimension), {}))
            return {"Tags": TAGS.get(a, {})}
        if op == "TagResource": TAGS.setdefault(a, {}).update(b["Tags"]); return {}
        if op == "UntagResource": [TAGS.get(a, {}).pop(k, 0) for k in b["TagKeys"]]; return {}
    if svc == "AWSStepFunctions" and op == "ListStateMachineVersions":
        from moto.stepfunctions.models import stepfunctions_backends as sb
        sm = sb[ACCT][r].describe_state_machine(b["stateMachineArn"])
        return {"stateMachineVersions": [{"stateMachineVersionArn": v.arn, "creationDate": 1767225600} for v in reversed(list(sm.versions.values()))]}
    if svc == "AWSStepFunctions" and op == "ValidateStateMachineDefinition":
        try: ok = "StartAt" in json.loads(b["definition"])
        except ValueError: ok = False
        return {"result": "OK" if ok else "FAIL", "diagnostics": [] if ok else [{"severity": "ERROR", "code": "INVALID_JSON_DESCRIPTION", "message": "bad"}], "truncated": False}
    if svc == "AWSBudgetServiceGateway":
        if op == "DescribeSubscribersForNotification":
            from moto.budgets.models import budgets_backends
            n = b["Notification"]; be = budgets_backends[b["AccountId"]]["aws"]
            for bud in (be.budgets[b["AccountId"]].get(b["BudgetName"]),):
                for no in getattr(bud, "notifications", []):
                    d = no.details
                    if all(d.get(k) == n.get(k) for k in ("NotificationType", "ComparisonOperator")): return {"Subscribers": no.subscribers}
            return {"Subscribers": []}
        if op in ("ListTagsForResource",): return {"ResourceTags": tagl(b["ResourceARN"])}
        if op == "CreateBudget": TAGS[f"arn:aws:budgets::{b['AccountId']}:budget/{b['Budget']['BudgetName']}"] = tagd(b.get("ResourceTags")); return None

# ---------------------------------------------------------------- in-process patches
def patch():
    from moto.kms import models as km, responses as kr
    def rep(self):
        kid = self._get_param("KeyId"); self._validate_key_id(kid); reg = self._get_param("ReplicaRegion")
        be = self.kms_backend; kid = be.get_key_id(kid); src = be.keys[kid]
        new = copy.copy(src); new.region = reg; new.aliases = {}; new.arn = src.arn.replace(be.region_name, reg)
        cfg = src.multi_region_configuration
        if not any(x["Region"] == reg for x in cfg["ReplicaKeys"]): cfg["ReplicaKeys"].append({"Arn": new.arn, "Region": reg})
        new.multi_region_configuration = {**cfg, "MultiRegionKeyType": "REPLICA"}
        new.description = self._get_param("Description") or ""; pol = self._get_param("Policy")
        new.key_rotation_status = src.key_rotation_status
        to = km.kms_backends[be.account_id][reg]; to.keys[new.id] = new
        if pol: new.policy = pol
        if t := self._get_param("Tags"): to.tag_resource(new.id, {x["TagKey"]: x["TagValue"] for x in t})
        return json.dumps({"ReplicaKeyMetadata": new.to_dict()["KeyMetadata"], "ReplicaPolicy": new.policy})
    kr.KmsResponse.replicate_key = rep
    def desc(self, key_id): return self.keys[self.any_id_to_key_id(key_id)]
    km.KmsBackend.describe_key = desc
    # DynamoDB replicas: the same Table object seen from another region
    from moto.dynamodb import responses as dr
    from moto.dynamodb.models import dynamodb_backends, DynamoDBBackend
    ut = dr.DynamoHandler.update_table; de = DynamoDBBackend.describe_table
    def reps(acct, name):
        return {r: be.tables[name] for r, be in dynamodb_backends[acct].items() if name in be.tables and getattr(be.tables[name], "_g", None) is not None}
    def update_table(self):
        ru = self.body.get("ReplicaUpdates"); be = self.dynamodb_backend; name = self.body["TableName"].split("/")[-1]
        for u in ru or []:
            (k, v), = u.items(); t = be.get_table(name); reg = v["RegionName"]; to = dynamodb_backends[be.account_id][reg]
            if k == "Create":
                t._g = getattr(t, "_g", None) or {}; n = copy.copy(t); n._g = {"KMSMasterKeyId": v.get("KMSMasterKeyId"), "TableClassOverride": v.get("TableClassOverride")}
                n.table_arn = t.table_arn.replace(be.region_name, reg); n.continuous_backups = copy.deepcopy(t.continuous_backups); n.deletion_protection_enabled = bool(v.get("DeletionProtectionEnabled")); 
                n.continuous_backups["PointInTimeRecoveryDescription"] = {"PointInTimeRecoveryStatus": "DISABLED"}
                if getattr(t, "latest_stream_label", None): n.latest_stream_label = t.latest_stream_label
                to.tables[name] = n
            elif k == "Update" and name in to.tables: to.tables[name]._g.update({x: y for x, y in v.items() if x != "RegionName"})
            elif k == "Delete":
                to.tables.pop(name, None)
                if len(reps(be.account_id, name)) == 1: t._g = None
        if ru and len([k for k in self.body if k not in ("TableName", "ReplicaUpdates", "MultiRegionConsistency", "GlobalTableWitnessUpdates")]) == 0:
            return dr.DynamoResult(be.get_table(name).describe())
        return ut(self)
    dr.DynamoHandler.update_table = update_table
    def describe_table(self, name):
        d = de(self, name); n = name.split("/")[-1]; t = self.tables.get(n)
        if t is not None and getattr(t, "_g", None) is not None:
            d["Table"]["GlobalTableVersion"] = "2019.11.21"
            d["Table"]["Replicas"] = [{"RegionName": r, "ReplicaStatus": "ACTIVE", **{k: v for k, v in (o._g or {}).items() if k == "KMSMasterKeyId" and v}, **({"ReplicaTableClassSummary": {"TableClass": o._g["TableClassOverride"]}} if (o._g or {}).get("TableClassOverride") else {})} for r, o in reps(self.account_id, n).items() if r != self.region_name]
        return d
    DynamoDBBackend.describe_table = describe_table
    dt_ = DynamoDBBackend.delete_table
    def delete_table(self, name):
        n = name.split("/")[-1]; r = dt_(self, name); left = reps(self.account_id, n)
        if len(left) == 1: next(iter(left.values()))._g = None
        return r
    DynamoDBBackend.delete_table = delete_table
    # API Gateway: OpenAPI import of integrations without uri/httpMethod (mock), path-level keys that are not methods
    from moto.apigateway.models import APIGatewayBackend as AG
    pi, pr = AG.put_integration, AG.put_rest_api
    def put_integration(self, function_id, resource_id, method_type, integration_type, uri=None, integration_method=None, **k):
        return pi(self, function_id, resource_id, method_type, integration_type, uri, integration_method, **k)
    AG.put_integration = put_integration
    VERBS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
    def put_rest_api(self, function_id, api_doc, *a, **k):
        doc = {**api_doc, "paths": {p: {("any" if m.startswith("x-") else m): {**o, "responses": {str(c): v for c, v in (o.get("responses") or {}).items()}} for m, o in ops.items() if m in VERBS} for p, ops in api_doc.get("paths", {}).items() if p != "/"}}
        api = pr(self, function_id, doc, *a, **k)
        if api_doc.get("info", {}).get("title"): api.name = api_doc["info"]["title"]
        if api_doc.get("info", {}).get("description"): api.description = api_doc["info"]["description"]
        if api_doc.get("x-amazon-apigateway-policy"): api.policy = json.dumps(api_doc["x-amazon-apigateway-policy"])
        comp = (api_doc.get("components") or {}).get("securitySchemes") or {}
        for n, sc in comp.items():
            au = sc.get("x-amazon-apigateway-authorizer")
            if au: self.create_authorizer(function_id, n, au.get("type", "token").upper(), provider_arns=au.get("providerARNs"), auth_type=sc.get("x-amazon-apigateway-authtype"), authorizer_uri=au.get("authorizerUri"), authorizer_credentials=au.get("authorizerCredentials"), identity_source=au.get("identitySource"), identiy_validation_expression=au.get("identityValidationExpression"), authorizer_result_ttl=au.get("authorizerResultTtlInSeconds"))
        return api
    AG.put_rest_api = put_rest_api
    # API Gateway: of an imported document also what moto leaves out: gateway responses, validators, and of methods who may call, validator, parameters and
    # names of models
    pr2 = AG.put_rest_api
    def import_more(self, function_id, api_doc, *a, **k):
        api = pr2(self, function_id, api_doc, *a, **k)
        pre = "x-amazon-apigateway-"
        for name, g in (api_doc.get(pre + "gateway-responses") or {}).items():
            api.put_gateway_response(name, g.get("statusCode"), g.get("responseParameters"), g.get("responseTemplates"))
        have = {v.name: v.id for v in api.request_validators.values()}
        for name, v in (api_doc.get(pre + "request-validators") or {}).items():
            if name not in have: have[name] = api.create_request_validator(name, v.get("validateRequestBody", False), v.get("validateRequestParameters", False)).id
        schemes = (api_doc.get("components") or {}).get("securitySchemes") or {}
        by_name = {x.name: x.id for x in api.authorizers.values()}
        for path, ops in api_doc.get("paths", {}).items():
            resource = api.get_resource_for_path(path)
            for verb, op in ops.items():
                m = resource.resource_methods.get(verb.upper()) if resource and verb in VERBS else None
                if m is None: continue
                names = {n for s in op.get("security", api_doc.get("security", [])) for n in s}
                asked = [n for n in names if pre + "authorizer" in schemes.get(n, {})]
                m.authorization_type, m.authorizer_id = ("CUSTOM", by_name.get(asked[0])) if asked else ("NONE", None)
                m.api_key_required = any(schemes.get(n, {}).get("name") == "x-api-key" for n in names)
                validator = op.get(pre + "request-validator", api_doc.get(pre + "request-validator"))
                if validator in have: m.request_validator_id = have[validator]
                params = [(api_doc["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p) for p in ops.get("parameters", []) + op.get("parameters", [])]
                m.request_parameters = {f"method.request.{ {'query': 'querystring'}.get(p['in'], p['in'])}.{p['name']}": p.get("required", False) for p in params}
                m.request_models = {t: c["schema"]["$ref"].rsplit("/", 1)[1] for t, c in (op.get("requestBody") or {}).get("content", {}).items() if "$ref" in c.get("schema", {})}
        return api
    AG.put_rest_api = import_more
    # SQS: RedriveAllowPolicy
    from moto.sqs import models as sm
    qa, qs = sm.Queue.attributes.fget, sm.Queue._set_attributes
    def set_attributes(self, attributes, now=None):
        if "RedriveAllowPolicy" in (attributes or {}): self._rap = attributes["RedriveAllowPolicy"]
        return qs(self, {k: v for k, v in attributes.items() if k != "RedriveAllowPolicy"}, now)
    def attributes(self):
        d = qa(self)
        if isinstance(d.get("RedrivePolicy"), str): d["RedrivePolicy"] = json.dumps(json.loads(d["RedrivePolicy"]), separators=(",", ":"), sort_keys=True)
        return {**d, **({"RedriveAllowPolicy": self._rap} if getattr(self, "_rap", None) else {})}
    sm.Queue._set_attributes, sm.Queue.attributes = set_attributes, property(attributes)
    qg = sm.SQSBackend.get_queue_attributes
    def gqa(self, queue_name, attribute_names):
        a = [x for x in attribute_names if x != "RedriveAllowPolicy"]; q = self.get_queue(queue_name); r = qg(self, queue_name, a) if a else {}
        if "RedriveAllowPolicy" in attribute_names and getattr(q, "_rap", None): r["RedriveAllowPolicy"] = q._rap
        return r
    sm.SQSBackend.get_queue_attributes = gqa
    # API Gateway: the policy document is returned escaped, as AWS does
    from moto.apigateway.models import RestAPI
    td = RestAPI.to_dict
    def rest_dict(self):
        d = td(self)
        if isinstance(d.get("policy"), str) and not d["policy"].startswith("{\\"): d["policy"] = json.dumps(d["policy"])[1:-1]
        return d
    RestAPI.to_dict = rest_dict
    from moto.apigateway.models import UsagePlan, Stage
    def plan_ops(self, ops):
        for o in ops:
            if o["path"] == "/apiStages" and o["op"] == "remove":
                a, s = o["value"].split(":"); self.api_stages[:] = [x for x in self.api_stages if (x["apiId"], x["stage"]) != (a, s)]
            else: upo(self, [o])
    upo = UsagePlan.apply_patch_operations; UsagePlan.apply_patch_operations = plan_ops
    rpo = RestAPI.apply_patch_operations
    def rest_ops(self, ops):        # /binaryMediaTypes/<type, "/" as ~1> carries the value in the path
        for o in ops:
            if o["path"].startswith("/binaryMediaTypes/"):
                v = o["path"].split("/", 2)[2].replace("~1", "/").replace("~0", "~")
                self.binaryMediaTypes = [x for x in self.binaryMediaTypes if x != v] + ([v] if o["op"] == "add" else [])
            else: rpo(self, [{**o, "value": o.get("value", "")}])
    RestAPI.apply_patch_operations = rest_ops
    from moto.apigateway.models import Account
    aap = Account.apply_patch_operations
    Account.apply_patch_operations = lambda self, ops: aap(self, [{**o, "value": o.get("value", "")} for o in ops])
    # Logs: log group class; SQS: compact redrive policy; Secrets Manager: replica key
    from moto.logs.models import LogGroup
    lg = LogGroup.to_describe_dict
    LogGroup.to_describe_dict = lambda self: {"logGroupClass": "STANDARD", **lg(self)}
    from moto.secretsmanager.models import FakeSecret
    cre = FakeSecret.create_replicas
    def create_replicas(self, replica_regions, force_overwrite):
        r = cre(self, replica_regions, force_overwrite)
        for x, c in zip(r, replica_regions): x.config["KmsKeyId"] = c.get("KmsKeyId") or x.config["KmsKeyId"]
        return r
    FakeSecret.create_replicas = create_replicas
    # Secrets Manager: a schedule; moto would run the function's testSecret in a container, of which nothing stays at AWS
    from moto.secretsmanager.models import SecretsManagerBackend
    rot = SecretsManagerBackend.rotate_secret
    def rotate_secret(self, secret_id, client_request_token=None, rotation_lambda_arn=None, rotation_rules=None, rotate_immediately=True, **more):
        if not rotation_lambda_arn or rotate_immediately:
            return rot(self, secret_id, client_request_token=client_request_token, rotation_lambda_arn=rotation_lambda_arn, rotation_rules=rotation_rules, rotate_immediately=rotate_immediately, **more)
        secret = self.secrets[secret_id]
        secret.rotation_requested, secret.rotation_enabled, secret.rotation_lambda_arn = True, True, rotation_lambda_arn
        secret.auto_rotate_after_days = (rotation_rules or {}).get("AutomaticallyAfterDays", 0)
        return secret.to_short_dict()
    SecretsManagerBackend.rotate_secret = rotate_secret
    # Lambda: keep the settings moto drops; an event source mapping keeps the qualifier it was given
    from moto.awslambda import models as lm
    fi, gc, uc = lm.LambdaFunction.__init__, lm.LambdaFunction.get_configuration, lm.LambdaFunction.update_configuration
    KEEP = ("LoggingConfig", "DeadLetterConfig", "FileSystemConfigs", "SnapStart")
    def finit(self, *a, **k):
        fi(self, *a, **k); spec = next(x for x in (*a, *k.values()) if isinstance(x, dict)); self._keep = {x: spec[x] for x in KEEP if spec.get(x)}
    def gconf(self, *a, **k):
        d = {**gc(self, *a, **k), **getattr(self, "_keep", {})}
        if not any((d.get("ImageConfigResponse", {}).get("ImageConfig") or {}).values()): d.pop("ImageConfigResponse", None)
        return d
    def uconf(self, spec):
        self._keep = {**getattr(self, "_keep", {}), **{x: spec[x] for x in KEEP if x in spec}}; return uc(self, spec)
    lm.LambdaFunction.__init__, lm.LambdaFunction.get_configuration, lm.LambdaFunction.update_configuration = finit, gconf, uconf
    ei = lm.EventSourceMapping.get_configuration
    def econf(self):
        d = ei(self)
        if re.match(r"arn:aws:lambda:.*:function:[^:]+:[^:]+$", self.function_name or ""): d["FunctionArn"] = self.function_name
        return d
    lm.EventSourceMapping.get_configuration = econf
    # RDS: no v1 scaling block, Data API and Performance Insights flags as asked
    from moto.rds import models as rm
    rm.DBCluster.scaling_configuration_info = property(lambda self: {"min_capacity": 1} if self.engine_mode == "serverless" else None)
    ci = rm.DBCluster.__init__
    def cinit(self, *a, **k):
        ci(self, *a, **k); self._hep = bool(k.get("enable_http_endpoint")); self._pi = k.get("enable_performance_insights") or k.get("performance_insights_enabled")
    rm.DBCluster.__init__ = cinit
    rm.DBCluster.http_endpoint_enabled = property(lambda self: getattr(self, "_hep", False))
    rm.DBCluster.performance_insights_enabled = property(lambda self: bool(getattr(self, "_pi", False)), lambda self, v: setattr(self, "_pi", v))
    # RDS: a proxy's default authentication; an instance's Performance Insights key and retention
    from moto.rds import responses as rr
    cpx = rr.RDSResponse.create_db_proxy
    def cproxy(self):
        self.params.setdefault("Auth", []); r = cpx(self)
        self.backend.db_proxies[self.params["DBProxyName"]].default_auth_scheme = self.params.get("DefaultAuthScheme") or "NONE"
        return r
    rr.RDSResponse.create_db_proxy = cproxy
    cdi = rr.RDSResponse.create_db_instance
    def cinst(self):
        r = cdi(self); d = self.backend.databases[self.params["DBInstanceIdentifier"].lower()] if hasattr(self.backend, "databases") else None
        for k, n in (("PerformanceInsightsKMSKeyId", "performance_insights_kms_key_id"), ("PerformanceInsightsRetentionPeriod", "performance_insights_retention_period")):
            v = self.params.get(k) or self.params.get(n)
            if d is not None and v is not None: setattr(d, n, v)
        return r
    rr.RDSResponse.create_db_instance = cinst
    # DynamoDB: on-demand limits
    from moto.dynamodb.models.table import Table
    tds = Table.describe
    def tdesc(self, base_key="TableDescription"):
        d = tds(self, base_key)
        if getattr(self, "_odt", None): d[base_key]["OnDemandThroughput"] = self._odt
        if (getattr(self, "_g", None) or {}).get("KMSMasterKeyId"): d[base_key]["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": self._g["KMSMasterKeyId"]}
        return d
    Table.describe = tdesc
    ctb = dr.DynamoHandler.create_table
    def create_table(self):
        r = ctb(self); t = self.dynamodb_backend.get_table(self.body["TableName"]); t._odt = self.body.get("OnDemandThroughput")
        return dr.DynamoResult(t.describe()) if t._odt else r
    dr.DynamoHandler.create_table = create_table
    # S3: bucket policies are stored, not enforced (moto ignores their conditions, so a TLS-only Deny blocks everything)
    from moto.s3 import models as s3m, responses as s3r
    s3m.FakeDeleteMarker.dispose = lambda self, *a, **k: None
    from moto.iam.access_control import PermissionResult
    s3m.FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL
    gbk = s3m.S3Backend.get_bucket
    def get_bucket(self, bucket_name):      # EC2 flow logs look up "bucket/prefix"
        return gbk(self, bucket_name.split("/")[0] if isinstance(bucket_name, str) and sys._getframe(1).f_code.co_name == "create_flow_logs" else bucket_name)
    s3m.S3Backend.get_bucket = get_bucket
    # Route 53: a zone created with a VPC is private
    from moto.route53.models import Route53Backend as RB
    from moto.route53.responses import Route53 as RR
    gb = RR._get_bool_param
    def _get_bool_param(self, name, default=None):
        if name == "HostedZoneConfig.PrivateZone" and self._get_param("VPC.VPCId"): return True
        return gb(self, name, default)
    RR._get_bool_param = _get_bool_param
    # CloudFront functions: publish and update
    from moto.cloudfront import responses as cr
    from moto.core.responses import ActionResult
    def pub(self):
        f = self.backend.describe_function(name=self._get_param("Name")); f.stage, f.status = "LIVE", "UNASSOCIATED"
        return ActionResult({"FunctionSummary": f.function_summary})
    def upd(self):
        f = self.backend.describe_function(name=self._get_param("Name")); f.config = self._get_param("FunctionConfig", {}); f.code = self._get_param("FunctionCode")
        return ActionResult({"FunctionSummary": f.function_summary, "ETag": f.etag})
    cr.CloudFrontResponse.publish_function, cr.CloudFrontResponse.update_function = pub, upd
    from moto.cloudfront import urls as cu
    cu.url_paths["{0}/2020-05-31/function/(?P<function_name>[^/]+)/publish$"] = cr.CloudFrontResponse.dispatch

# ---------------------------------------------------------------- Signer: jobs, which moto has not
def signer(r, m, path, b):
    """A job is done at once: the ZIP with one file more, of which no two are alike."""
    from moto.s3.models import s3_backends
    from moto.signer.models import signer_backends
    J = S["sj", r]
    if path == "/signing-jobs" and m == "POST":
        src, dst = b["source"]["s3"], b["destination"]["s3"]; p = signer_backends[ACCT][r].signing_profiles.get(b["profileName"])
        if not p: raise Err("ResourceNotFoundException", f"{b['profileName']} not found", 404)
        i = next((i for i, j in J.items() if j["_token"] == b["clientRequestToken"]), None)
        if i: return {"jobId": i, "jobOwner": ACCT}
        be = s3_backends[ACCT]["aws"]; o = be.get_object(src["bucketName"], src["key"], version_id=src["version"])
        if o is None or {be.get_bucket(x["bucketName"]).region_name for x in (src, dst)} != {r}: raise Err("ValidationException", "no such version in this region", 400)
        import zipfile
        i = str(uuid.uuid4()); z = io.BytesIO(o.value); zf = zipfile.ZipFile(z, "a"); zf.writestr("META-INF/aws_signer_signature_v1.0.SF", i); zf.close()
        k = f"{dst.get('prefix', '')}{i}.zip"; be.put_object(dst["bucketName"], k, z.getvalue())
        J[i] = {"_token": b["clientRequestToken"], "jobId": i, "status": "Succeeded", "statusReason": "Signing Succeeded", "profileName": p.name, "profileVersion": p.profile_version, "signedObject": {"s3": {"bucketName": dst["bucketName"], "key": k}}}
        return {"jobId": i, "jobOwner": ACCT}
    if m == "GET" and (x := re.match(r"/signing-jobs/([^/]+)$", path)): return {k: v for k, v in need(J, x[1]).items() if k != "_token"}
    return None

# ---------------------------------------------------------------- WSGI
class App:
    def __init__(self, app, port): self.app, self.port, self.cw, self.lock = app, port, {}, threading.Lock()
    def __call__(self, env, start):
        """One request at a time, as neither moto's back ends nor the overlay bear threads ("dictionary changed size during
        iteration"). CloudWatch calls this very server, so it waits inside; a queue is waited for by whom another request answers."""
        n = int(env.get("CONTENT_LENGTH") or 0)
        if n: env["wsgi.input"] = io.BytesIO(env["wsgi.input"].read(n))
        if env.get("PATH_INFO", "").startswith("/service/GraniteServiceVersion20100801/operation/"): return self.cloudwatch(env, start, env["PATH_INFO"].rsplit("/", 1)[1], (re.search(r"Credential=[^/]+/\d+/([^/]+)/", env.get("HTTP_AUTHORIZATION", "")) or [0, "us-east-1"])[1])
        if env.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage": return self.serve(env, start)
        with self.lock: return self.serve(env, start)
    def serve(self, env, start):
        path, m = env.get("PATH_INFO", ""), env["REQUEST_METHOD"]; auth = env.get("HTTP_AUTHORIZATION", "")
        x = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", auth)
        region, svc = (x[1], x[2]) if x else ("us-east-1", "")
        tgt = env.get("HTTP_X_AMZ_TARGET", "")
        if path.startswith("/key-value-stores/"): return self.kvs(env, start, m)
        if path == "/moto-api/reset": S.clear(); TAGS.clear()
        mine = svc in ("xray", "lambda", "elasticfilesystem", "cloudfront", "backup", "s3", "rds", "ec2", "route53", "signer") or tgt.split(".")[0].split("_")[0] in ("Logs", "GraniteServiceVersion20100801", "DynamoDB", "AnyScaleFrontendService", "AWSStepFunctions", "AWSBudgetServiceGateway")
        if mine:
            raw = env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0)); env["wsgi.input"] = io.BytesIO(raw)
            try:
                res = None
                if svc == "cloudfront":
                    c = cloudfront(m, path, raw, env.get("QUERY_STRING", ""))
                    if c is not None:
                        h = {**c[1]}; st = h.pop("_status", "204 No Content"); start(st, [("Content-Type", "application/xml"), ("Content-Length", str(len(c[0]))), *h.items()]); return [c[0]]
                elif svc in ("s3", "rds", "ec2", "route53"):
                    from urllib.parse import unquote
                    c = rds(region, raw) if svc == "rds" else dnssec(m, path, raw) if svc == "route53" else None if svc == "ec2" else s3_tags(m, unquote(path), raw) if path.startswith("/v20180820/tags/") else None
                    if c: start(c[0], [("Content-Type", "text/xml"), ("Content-Length", str(len(c[1])))]); return [c[1]]
                    if svc == "s3":
                        par = sorted(x for x in env.get("QUERY_STRING", "").split("&") if x and not x.startswith("x-id")); sub = next((p.split("=")[0] for p in par if p.split("=")[0] in ECHO), None); k = (path.strip("/"), "&".join(par))
                        if sub and "/" not in k[0]:
                            E = S["s3echo", "g"]; code, out, own = None, b"", sub in ("intelligent-tiering", "metrics", "logging")   # own: never shown to moto, whose DELETE would drop the bucket
                            if m == "PUT": E[k] = raw; code = "200 OK" if own else None
                            elif m == "DELETE": E.pop(k, None); code = "204 No Content" if own else None
                            elif m == "GET" and k in E: code, out = "200 OK", E[k]
                            elif m == "GET" and sub == "logging": code, out = "200 OK", b'<BucketLoggingStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'
                            elif m == "GET" and own and "id=" in k[1]: code, out = "404 Not Found", b"<Error><Code>NoSuchConfiguration</Code><Message>none</Message></Error>"
                            if code: start(code, [("Content-Type", "application/xml"), ("Content-Length", str(len(out)))]); return [out]
                else:
                    b = json.loads(raw) if raw[:1] in b"{[" and raw else {}
                    from urllib.parse import parse_qsl, unquote
                    q = dict(parse_qsl(env.get("QUERY_STRING", "")))
                    if tgt: s, op = tgt.rsplit(".", 1); res = target(region, s, op, b)
                    elif svc == "xray" and path.count("/") == 1: res = xray(region, path[1:], b)
                    elif svc == "lambda": res = lam(region, m, unquote(path), q, b)
                    elif svc == "backup": res = backup(region, m, unquote(path), q, b)
                    elif svc == "signer": res = signer(region, m, unquote(path), b)
                    elif svc == "elasticfilesystem": res = efs(region, m, path, q, b)
                if res is not None:
                    out = json.dumps(res).encode(); start("200 OK", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(out)))]); return [out]
            except Err as e:
                if svc == "cloudfront": out = f'<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>{e.code}</Code><Message>{e.msg}</Message></Error></ErrorResponse>'.encode(); ct = "text/xml"
                else: out = json.dumps({"__type": e.code, "Code": e.code, "ErrorCode": e.code, "message": e.msg, "Message": e.msg}).encode(); ct = "application/x-amz-json-1.1"
                start(f"{e.status} Error", [("Content-Type", ct), ("x-amzn-ErrorType", e.code), ("Content-Length", str(len(out)))]); return [out]
        got = {}
        def sr(status, headers, exc=None): got["s"], got["h"] = status, headers; return lambda b: None
        try:
            body = self.app(env, sr); out = b"".join(body); getattr(body, "close", lambda: None)()
        except Exception as e:
            got.update(s="500", h=[]); out = b""; print("motox:", repr(e)[:200], file=sys.stderr)
        if got["s"].startswith("500"):
            print("motox: 501", m, path, tgt, file=sys.stderr)
            got["s"] = "501 Not Implemented"; out = json.dumps({"__type": "NotImplementedException", "message": f"moto: {tgt or m + ' ' + path}"}).encode()
            got["h"] = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "NotImplementedException"), ("Content-Length", str(len(out)))]
        if svc == "s3" and m == "PUT" and got["s"].startswith("200") and path.count("/") == 1 and b"<Tags>" in raw:
            from moto.s3.models import s3_backends
            be = s3_backends[ACCT]["aws"]; be.tagger.tag_resource(be.buckets[path.strip("/")].arn, [{"Key": k.decode(), "Value": v.decode()} for k, v in re.findall(rb"<Key>(.*?)</Key><Value>(.*?)</Value>", raw)])
        if svc == "rds" and b"DescribeDBInstances" in raw:
            for i, v in S["pi", region].items():
                if v: out = out.replace(f"<DBInstanceIdentifier>{i}</DBInstanceIdentifier>".encode(), f"<DBInstanceIdentifier>{i}</DBInstanceIdentifier><PerformanceInsightsEnabled>true</PerformanceInsightsEnabled>".encode())
            got["h"] = [(k, v if k.lower() != "content-length" else str(len(out))) for k, v in got["h"]]
        if svc == "rds" and b"DescribeGlobalClusters" in raw:
            for a, t in TAGS.items():
                if ":global-cluster:" in a and t: out = out.replace(f"<GlobalClusterArn>{a}</GlobalClusterArn>".encode(), (f"<GlobalClusterArn>{a}</GlobalClusterArn><TagList>" + "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in t.items()) + "</TagList>").encode())
            got["h"] = [(k, v if k.lower() != "content-length" else str(len(out))) for k, v in got["h"]]
        if svc == "route53" and "/healthcheck" in path:      # alarm-based health checks: the parts moto drops
            H = S["hc", "g"]
            if m == "POST" and b"<AlarmIdentifier>" in raw:
                i = path.rsplit("/", 1)[1] if path.count("/") > 2 else re.search(rb"<Id>(.*?)</Id>", out)[1].decode()
                H[i] = b"".join(re.findall(rb"<AlarmIdentifier>.*?</AlarmIdentifier>|<InsufficientDataHealthStatus>.*?</InsufficientDataHealthStatus>", raw, re.S))
            for i, x in H.items():
                if i.encode() in out and b"</HealthCheckConfig>" in out and path.rsplit("/", 1)[1] in (i, "healthcheck"):
                    out = re.sub(rb"<(Port|RequestInterval|FailureThreshold)>\d+</\1>", b"", out).replace(b"</HealthCheckConfig>", x + b"</HealthCheckConfig>")
            got["h"] = [(k, v if k.lower() != "content-length" else str(len(out))) for k, v in got["h"]]
        if svc == "ec2": out = ec2(region, raw, out); got["h"] = [(k, v if k.lower() != "content-length" else str(len(out))) for k, v in got["h"]]
        if svc == "s3" and m == "DELETE" and got["s"].startswith("204") and not env.get("QUERY_STRING", "").split("x-id")[0].strip("&"):
            for k in [k for k in S["s3echo", "g"] if k[0] == path.strip("/")]: del S["s3echo", "g"][k]
        start(got["s"], got["h"]); return [out]
    def cb(self, start, o, st="200 OK"):
        out = cbor(o); start(st, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(out)))]); return [out]
    def kvs(self, env, start, m):
        from urllib.parse import unquote
        p = unquote(env["PATH_INFO"])[len("/key-value-stores/"):]; arn, _, key = p.partition("/keys"); key = key.strip("/"); K = S["kvs", arn]; n = env.get("CONTENT_LENGTH") or 0
        b = json.loads(env["wsgi.input"].read(int(n)) or b"{}"); st, out = "200 OK", None
        sm = lambda: {"ItemCount": len(K), "TotalSizeInBytes": sum(map(len, K.values()))}
        if key and m == "PUT": K[key] = b["Value"]; out = sm()
        elif key and m == "DELETE": K.pop(key, 0); out = sm()
        elif key: out = {"Key": key, "Value": K[key], **sm()} if key in K else None
        elif "/keys" in p and m == "GET": out = {"Items": [{"Key": k, "Value": v} for k, v in K.items()]}
        elif "/keys" in p:
            for x in b.get("Puts") or []: K[x["Key"]] = x["Value"]
            for x in b.get("Deletes") or []: K.pop(x["Key"], 0)
            out = sm()
        else: out = {**sm(), "KvsARN": arn, "Created": 1767225600, "LastModified": 1767225600, "Status": "READY"}
        hx = [("ETag", "KV%d" % len(K))]
        if out is None: st, out, hx = "404 Not Found", {"Message": "none"}, [("x-amzn-ErrorType", "ResourceNotFoundException")]
        out = json.dumps(out).encode(); start(st, [("Content-Type", "application/json"), ("Content-Length", str(len(out))), *hx]); return [out]
    def composites(self, op, arg, region):
        """Composite alarms, which moto has not: the answer, or None where the call is not about them."""
        C = S["comp", region]
        if op == "PutCompositeAlarm":
            arn = f"arn:aws:cloudwatch:{region}:{ACCT}:alarm:{arg['AlarmName']}"
            C[arg["AlarmName"]] = {**arg, "AlarmArn": arn, "StateValue": "OK", "ActionsEnabled": arg.get("ActionsEnabled", True)}; TAGS[arn] = tagd(arg.get("Tags")); return {}
        if op == "DescribeAlarms" and "CompositeAlarm" in (arg.get("AlarmTypes") or []):
            return {"CompositeAlarms": [{k: v for k, v in c.items() if k != "Tags"} for n, c in C.items() if not arg.get("AlarmNames") or n in arg["AlarmNames"]], "MetricAlarms": []}
        if op == "DeleteAlarms" and any(n in C for n in arg["AlarmNames"]): [C.pop(n, 0) for n in arg["AlarmNames"]]; return {}
        if op == "ListTagsForResource" and arg["ResourceARN"].rsplit(":", 1)[1] in C: return {"Tags": tagl(arg["ResourceARN"])}
        return None
    def cloudwatch(self, env, start, op, region):
        import boto3, botocore
        raw = env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0)); arg = uncbor(io.BytesIO(raw)) if raw else {}
        with self.lock:
            own = self.composites(op, arg, region)
        if own is not None: return self.cb(start, own)
        if region not in self.cw:
            with self.lock: self.cw.setdefault(region, boto3.client("cloudwatch", region_name=region, endpoint_url=f"http://127.0.0.1:{self.port}", aws_access_key_id="test", aws_secret_access_key="test", config=botocore.config.Config(retries={"max_attempts": 0}, max_pool_connections=64)))
        c, name = self.cw[region], botocore.xform_name(op)
        try:
            known = set(c.meta.service_model.operation_model(op).input_shape.members) if c.meta.service_model.operation_model(op).input_shape else set()
            r = getattr(c, name)(**{k: v for k, v in arg.items() if k in known and v is not None}); r.pop("ResponseMetadata", None); st, out, hx = "200 OK", cbor(r), []
        except botocore.exceptions.ClientError as e:
            code = e.response["Error"]["Code"]; code = {"ResourceNotFound": "ResourceNotFoundException"}.get(code, code)
            hs = e.response["ResponseMetadata"]["HTTPStatusCode"]; st = f"{hs if hs < 500 else 400} Error"; out = cbor({"__type": "com.amazonaws.cloudwatch#" + code, "message": e.response["Error"].get("Message", "")}); hx = [("x-amzn-query-error", f"{code};Sender")]
        except Exception as e:
            print("motox: cloudwatch", op, repr(e)[:200], file=sys.stderr); st, out, hx = "400 Error", cbor({"__type": "com.amazonaws.cloudwatch#InternalServiceFault", "message": repr(e)}), []
        start(st, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(out))), *hx]); return [out]

def main():
    port = int(sys.argv[1])
    os.environ.setdefault("MOTO_PORT", str(port))
    from werkzeug.serving import run_simple
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    patch()
    if "--with-stdin" in sys.argv: threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    app = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, App(app, port), threaded=True, request_handler=MotoRequestHandler)
if __name__ == "__main__": main()

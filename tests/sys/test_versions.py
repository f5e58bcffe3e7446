"""Versions, aliases with weights and concurrency of a region's functions, through boto3 as they are on AWS."""

import base64
import hashlib
import io
import json
import math
import os
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

from region_kit import ENV_QUICK, control, function, invoke, wait
from rollout_kit import client, cloudwatch, publish, tree_of_versions, version, write_version


def quick_alarms(root):
    """Errors fire after one bad window of an hour, so that no test waits and none is too slow."""
    alarm = next(a for a in root["alarms"] if a["id"] == "function-errors")
    alarm.update({"period_s": 3600, "periods": 1, "datapoints": 1})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    r = tree_of_versions(tmp_path_factory.mktemp("versions"), env=ENV_QUICK)
    r.edit("alarms.json", quick_alarms)
    r.up()
    yield r
    r.down()


@pytest.fixture
def api(tree):
    with client(tree) as c:
        c.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {}})
        yield c


def refused(code, call, **args):
    with pytest.raises(ClientError) as e:
        call(**args)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


def said(tree):
    answer = tree.call("GET", "/v1/datasets")
    assert answer.status_code == 200, answer.text
    return answer.json()["version"]


def test_nothing_is_written_for_who_never_publishes(tree):
    assert not (tree.data / "functions" / "query").exists()
    versions = function(tree, "query")["versions"]
    assert [(v["version"], v["weight"], v["digest"]) for v in versions] == [(1, 1, "")]
    with client(tree) as c:
        assert {"keys", "query"} <= {f["FunctionName"] for f in c.list_functions()["Functions"]}
        alias = c.get_alias(FunctionName="keys", Name="live")
        assert alias["FunctionVersion"] == "1" and "RoutingConfig" not in alias
        config = c.get_function(FunctionName="keys")["Configuration"]
        assert config["State"] == "Active" and len(base64.b64decode(config["CodeSha256"])) == 32
    assert not (tree.data / "functions" / "keys").exists()


def test_a_folder_becomes_a_version_and_never_changes(tree, api, tmp_path):
    folder = write_version(tmp_path / "two", "2")
    number = publish(api, folder)
    assert publish(api, folder) == number  # the same code is the same version
    write_version(folder, "changed")
    assert said(tree) == "1"
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion=number)
    assert said(tree) == "2"
    status, headers, body = invoke(tree, "catalog", {})
    assert headers["X-Amz-Executed-Version"] == number and body == {"version": "2", "env": number}
    status, _, body = control(tree, "POST", "/2015-03-31/functions/catalog/invocations?Qualifier=1", {})
    assert status == 200 and json.loads(body)["version"] == "1"
    listed = api.list_versions_by_function(FunctionName="catalog")["Versions"]
    assert [v["Version"] for v in listed][:2] == ["$LATEST", "1"] and number in [v["Version"] for v in listed]


def zip_of(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 | mode) << 16
            z.writestr(info, text)
    return out.getvalue()


def test_a_zip_has_the_digest_that_aws_gives_it(tree, api, tmp_path):
    code = zip_of([("bootstrap", version("zip"), 0o755), ("lib/data.txt", "x", 0o644)])
    answer = api.update_function_code(FunctionName="catalog", ZipFile=code, Publish=True)
    assert answer["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    path = tmp_path / "code.zip"
    path.write_bytes(code)
    again = api.update_function_code(FunctionName="catalog", S3Bucket="file", S3Key=str(path), Publish=True)
    assert again["Version"] == answer["Version"]
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion=answer["Version"])
    assert said(tree) == "zip"
    place = tree.data / "functions" / "catalog" / hashlib.sha256(code).hexdigest()
    assert (place / "lib" / "data.txt").read_text() == "x"


@pytest.mark.parametrize("code", [
    b"no zip at all", zip_of([("other", "x", 0o755)]), zip_of([("bootstrap", "x", 0o644)]), zip_of([("../bootstrap", "x", 0o755)]),
    zip_of([("bootstrap", "x", 0o755), ("/etc/x", "x", 0o644)]), zip_of([("bootstrap", "x", 0o755)])[:-30]],
    ids=["nonsense", "no bootstrap", "not executable", "outside", "absolute", "cut"])
def test_code_that_cannot_run_is_refused(tree, api, code):
    before = api.list_versions_by_function(FunctionName="catalog")["Versions"]
    refused("InvalidParameterValueException", api.update_function_code, FunctionName="catalog", ZipFile=code)
    assert api.list_versions_by_function(FunctionName="catalog")["Versions"] == before
    assert not list((tree.data / "functions" / "catalog").glob("tmp-*"))
    refused("InvalidParameterValueException", api.update_function_code, FunctionName="catalog", S3Bucket="file", S3Key="/nowhere/at/all")
    refused("InvalidParameterValueException", api.update_function_code, FunctionName="catalog", S3Bucket="elsewhere", S3Key="k")


def test_weights_are_what_callers_get(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "w", "w"))
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {number: 0.3}})
    assert api.get_alias(FunctionName="catalog", Name="live")["RoutingConfig"] == {"AdditionalVersionWeights": {number: 0.3}}
    n = 600
    hits = sum(said(tree) == "w" for _ in range(n))
    # Six standard deviations of the binomial: one run in a billion is outside.
    assert abs(hits - 0.3 * n) < 6 * math.sqrt(n * 0.3 * 0.7), hits
    direct = sum(invoke(tree, "catalog", {})[2]["version"] == "w" for _ in range(200))
    assert abs(direct - 60) < 6 * math.sqrt(200 * 0.21), direct
    api.update_alias(FunctionName="catalog", Name="live", RoutingConfig={"AdditionalVersionWeights": {number: 1.0}})
    assert {said(tree) for _ in range(20)} == {"w"}
    api.update_alias(FunctionName="catalog", Name="live", RoutingConfig={"AdditionalVersionWeights": {number: 0.0}})
    assert {said(tree) for _ in range(20)} == {"1"}


def test_a_wrong_alias_is_refused(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "r", "r"))
    live = {"FunctionName": "catalog", "Name": "live"}
    for wrong in ({"FunctionVersion": "99"}, {"FunctionVersion": "$LATEST"}, {"RoutingConfig": {"AdditionalVersionWeights": {"99": 0.1}}},
                  {"RoutingConfig": {"AdditionalVersionWeights": {number: 1.5}}}, {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
                  {"RoutingConfig": {"AdditionalVersionWeights": {number: 0.1, "1": 0.1}}}):
        refused("InvalidParameterValueException", api.update_alias, **live, **wrong)
    refused("PreconditionFailedException", api.update_alias, **live, FunctionVersion=number, RevisionId="00000000-0000-0000-0000-000000000000")
    revision = api.get_alias(**live)["RevisionId"]
    assert api.update_alias(**live, FunctionVersion=number, RevisionId=revision)["RevisionId"] != revision
    refused("ResourceConflictException", api.delete_function, FunctionName="catalog", Qualifier=number)
    refused("ResourceNotFoundException", api.get_alias, FunctionName="catalog", Name="nobody")
    refused("ResourceNotFoundException", api.get_alias, FunctionName="nobody", Name="live")
    refused("ResourceConflictException", api.delete_alias, **live)


def test_an_alias_of_ones_own(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "own", "own"))
    api.create_alias(FunctionName="catalog", Name="next", FunctionVersion=number)
    refused("ResourceConflictException", api.create_alias, FunctionName="catalog", Name="next", FunctionVersion="1")
    refused("InvalidParameterValueException", api.create_alias, FunctionName="catalog", Name="7", FunctionVersion="1")
    _, headers, body = control(tree, "POST", "/2015-03-31/functions/catalog/invocations?Qualifier=next", {})
    assert json.loads(body)["version"] == "own" and headers["X-Amz-Executed-Version"] == number
    api.delete_alias(FunctionName="catalog", Name="next")
    api.delete_function(FunctionName="catalog", Qualifier=number)
    assert control(tree, "POST", "/2015-03-31/functions/catalog/invocations?Qualifier=next", {})[0] == 404
    refused("ResourceNotFoundException", api.delete_function, FunctionName="catalog", Qualifier=number)


def warm(tree):
    return {v["version"]: (v["warm"], v["instances"] - v["starting"]) for v in function(tree, "catalog")["versions"]}


def test_provisioned_concurrency_follows_the_weights(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "p", "p"))
    live = {"FunctionName": "catalog", "Qualifier": "live"}
    own = {"FunctionName": "catalog", "Qualifier": number}
    assert api.get_provisioned_concurrency_config(**live)["RequestedProvisionedConcurrentExecutions"] == 1
    api.put_provisioned_concurrency_config(**live, ProvisionedConcurrentExecutions=3)
    wait(lambda: api.get_provisioned_concurrency_config(**live)["Status"] == "READY", seconds=60)
    assert warm(tree)[1][0] == 3
    # one on the newcomer by itself shows that it starts, and goes before it gets weight
    api.put_provisioned_concurrency_config(**own, ProvisionedConcurrentExecutions=1)
    wait(lambda: api.get_provisioned_concurrency_config(**own)["Status"] == "READY", seconds=60)
    weights = {"FunctionName": "catalog", "Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {number: 0.34}}}
    refused("InvalidParameterValueException", api.update_alias, **weights)
    api.delete_provisioned_concurrency_config(**own)
    refused("ProvisionedConcurrencyConfigNotFoundException", api.get_provisioned_concurrency_config, **own)
    api.update_alias(**weights)
    assert warm(tree)[1][0] == 1 and warm(tree)[int(number)][0] == 2
    wait(lambda: api.get_provisioned_concurrency_config(**live)["Status"] == "READY", seconds=60)
    refused("InvalidParameterValueException", api.put_provisioned_concurrency_config, **live, ProvisionedConcurrentExecutions=2)
    refused("InvalidParameterValueException", api.delete_provisioned_concurrency_config, **live)
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion=number, RoutingConfig={"AdditionalVersionWeights": {}})
    assert warm(tree)[1][0] == 0 and warm(tree)[int(number)][0] == 3
    wait(lambda: warm(tree)[1][1] == 0, seconds=60)  # the old one's have idled
    refused("InvalidParameterValueException", api.put_provisioned_concurrency_config, **live, ProvisionedConcurrentExecutions=5)
    refused("InvalidParameterValueException", api.put_provisioned_concurrency_config, FunctionName="catalog", Qualifier="$LATEST",
            ProvisionedConcurrentExecutions=1)
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1")
    api.put_provisioned_concurrency_config(**live, ProvisionedConcurrentExecutions=1)


def test_a_version_that_cannot_start_says_so_before_it_gets_calls(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "c", "c", crash=True))
    own = {"FunctionName": "catalog", "Qualifier": number}
    api.put_provisioned_concurrency_config(**own, ProvisionedConcurrentExecutions=1)
    status = wait(lambda: (s := api.get_provisioned_concurrency_config(**own))["Status"] == "FAILED" and s, seconds=60)
    assert status["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    api.delete_provisioned_concurrency_config(**own)
    assert said(tree) == "1"
    api.delete_function(FunctionName="catalog", Qualifier=number)


def test_reserved_concurrency_is_shared_by_versions(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "slow", "slow", sleep_s=0.05))
    assert api.get_function_concurrency(FunctionName="catalog")["ReservedConcurrentExecutions"] == 4
    api.put_function_concurrency(FunctionName="catalog", ReservedConcurrentExecutions=2)
    refused("InvalidParameterValueException", api.put_function_concurrency, FunctionName="catalog", ReservedConcurrentExecutions=5)
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {number: 0.5}})
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: tree.call("GET", "/v1/datasets"), range(120)))
        assert all(a.status_code == 200 for a in answers)
        assert {a.json()["version"] for a in answers} == {"1", "slow"}
    wait(lambda: function(tree, "catalog")["instances"] <= 2, seconds=60)  # those of before have idled
    api.delete_function_concurrency(FunctionName="catalog")


def test_a_rollout_stands_where_it_stood_after_kill(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "k", "k"))
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {number: 0.1}})
    api.put_function_concurrency(FunctionName="catalog", ReservedConcurrentExecutions=3)
    os.makedirs(tree.data / "functions" / "catalog" / "tmp-left", exist_ok=True)
    tree.kill()
    tree.up()
    with client(tree) as c:
        alias = c.get_alias(FunctionName="catalog", Name="live")
        assert alias["FunctionVersion"] == "1" and alias["RoutingConfig"]["AdditionalVersionWeights"] == {number: 0.1}
        assert c.get_function_concurrency(FunctionName="catalog")["ReservedConcurrentExecutions"] == 3
        assert c.get_provisioned_concurrency_config(FunctionName="catalog", Qualifier="live")["RequestedProvisionedConcurrentExecutions"] == 1
        c.delete_function_concurrency(FunctionName="catalog")
    assert not (tree.data / "functions" / "catalog" / "tmp-left").exists()
    hits = sum(said(tree) == "k" for _ in range(400))
    assert 4 <= hits <= 90, hits  # 40 expected
    with client(tree) as c:
        c.update_alias(FunctionName="catalog", Name="live", FunctionVersion=number, RoutingConfig={"AdditionalVersionWeights": {}})
    tree.down()
    tree.up()
    assert said(tree) == "k"


# ---- figures and alarms ----

def metric(name, stat, executed=None, function="catalog", **more):
    dimensions = [{"Name": "FunctionName", "Value": function}, {"Name": "Resource", "Value": function + ":live"}]
    if executed:
        dimensions.append({"Name": "ExecutedVersion", "Value": executed})
    return {"Id": more.pop("Id", "m"), "MetricStat": {"Metric": {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions},
                                                     "Period": 3600, "Stat": stat, **more}}


def values(watch, *queries, since=None):
    now = time.time()
    queries = [{**q, "Id": f"q{i}"} for i, q in enumerate(queries)]
    answer = watch.get_metric_data(MetricDataQueries=queries, StartTime=since or now - 3600, EndTime=now + 60)
    return [sum(r["Values"]) for r in sorted(answer["MetricDataResults"], key=lambda r: r["Id"])]


def test_figures_are_told_by_version(tree, api, tmp_path):
    number = publish(api, write_version(tmp_path / "f", "f", sleep_s=0.02))
    api.update_alias(FunctionName="catalog", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {number: 0.5}})
    with cloudwatch(tree) as watch:
        old = values(watch, metric("Invocations", "Sum", "1"), metric("Invocations", "Sum"))
        got = [said(tree) for _ in range(60)]
        new = values(watch, metric("Invocations", "Sum", "1"), metric("Invocations", "Sum"), metric("Invocations", "Sum", number),
                     metric("Errors", "Sum", number), metric("Duration", "p50", number), metric("Duration", "SampleCount", number),
                     metric("Duration", "PR(:10)", number), metric("Duration", "PR(10:)", number), metric("Duration", "Minimum", number))
        assert new[0] - old[0] == got.count("1") and new[1] - old[1] == 60
        assert new[2] == got.count("f") == new[5] and new[3] == 0
        assert new[4] >= 20 and new[6] == 0 and new[7] == 100 and new[8] >= 20
        assert values(watch, metric("Invocations", "Sum", "99"), metric("Invocations", "Sum", function="nobody")) == [0, 0]
        count = {"Namespace": "AWS/ApiGateway", "MetricName": "Count", "Dimensions": [{"Name": "ApiName", "Value": "prism"}]}
        assert values(watch, {"Id": "c", "MetricStat": {"Metric": count, "Period": 3600, "Stat": "Sum"}})[0] >= 60
        refused("InvalidParameterValue", watch.get_metric_data, StartTime=0, EndTime=60, MetricDataQueries=[metric("Errors", "p50")])
        refused("InvalidParameterValue", watch.get_metric_data, StartTime=0, EndTime=60, MetricDataQueries=[metric("Errors", "Sum", Period=7)])
    recent = {v["version"]: v["recent"] for v in function(tree, "catalog")["versions"]}
    assert recent[int(number)]["invocations"] == got.count("f") and recent[int(number)]["p50_ms"] >= 20


def test_an_alarm_fires_on_errors_and_says_why(tree, api, tmp_path):
    with cloudwatch(tree) as watch:
        names = [a["AlarmName"] for a in watch.describe_alarms()["MetricAlarms"]]
        name = next(n for n in names if n.endswith("-function-errors-catalog"))
        api_5xx = next(n for n in names if n.endswith("-api-5xx-shard-0"))
        assert name.replace("catalog", "query") in names and not [n for n in names if "cluster" in n]
        assert watch.describe_alarms(AlarmNames=[api_5xx])["MetricAlarms"][0]["MetricName"] == "5XXError"
        assert {a["AlarmName"] for a in watch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]} == {name}
        before = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        number = publish(api, write_version(tmp_path / "bad", "bad", error_rate=1.0))
        status, headers, body = control(tree, "POST", f"/2015-03-31/functions/catalog/invocations?Qualifier={number}", {})
        assert headers["X-Amz-Function-Error"]
        after = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        assert after["StateValue"] == "ALARM" and "1 of the last 1 datapoints" in after["StateReason"]
        assert before["MetricName"] == "Errors" and before["EvaluationPeriods"] == 1
        firing = watch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        assert name in [a["AlarmName"] for a in firing]
    assert name in [a["name"] for a in tree.status()["alarms"]["firing"]]
    assert f"alarm {name}: " in tree.run("status").stdout

"""A machine with little memory runs fewer instances than the catalogue asks for, and says so."""

import concurrent.futures

from conftest import Region


def function(status, name):
    return next(f for f in status["functions"] if f["name"] == name)


def test_a_small_machine_gets_fewer_instances_and_says_so(tmp_path):
    region = Region(tmp_path / "data", env={"PRISM_REGION_MEMORY_MB": "8192"}).up()
    try:
        status = region.status()
        assert status["memory_mb"] == 8192
        query, keys = function(status, "query"), function(status, "keys")
        assert (query["max"], query["max_wanted"], query["memory_mb"]) == (2, 8, 3008)
        assert keys["max"] == keys["max_wanted"]
        said = "query: at most 2 instances of 3008 MB instead of 8, for the machine has 8192 MB"
        assert said in region.run("status").stdout
        assert any(said in path.read_text() for path in (region.data / "logs").glob("*.log"))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = list(pool.map(lambda i: region.one(f"SELECT sum(i) + {i} FROM range(3000000) r(i)"), range(16)))
        assert len(asked) == 16 and function(region.status(), "query")["instances"] <= 2
    finally:
        region.down()


def test_a_large_machine_gets_what_the_catalogue_says(tmp_path):
    region = Region(tmp_path / "data", env={"PRISM_REGION_MEMORY_MB": "65536"}).up()
    try:
        assert function(region.status(), "query")["max"] == 8
        assert "instead of" not in region.run("status").stdout
    finally:
        region.down()


def test_nonsense_is_refused_at_start(tmp_path):
    done = Region(tmp_path / "data", env={"PRISM_REGION_MEMORY_MB": "lots"}).run("up", "--detach", check=False)
    assert done.returncode != 0 and "PRISM_REGION_MEMORY_MB" in done.stderr

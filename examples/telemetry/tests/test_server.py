"""The page behind nginx and php-fpm, with the configuration that docs/guide/web.md shows: as one user, and as two."""
import getpass
import glob
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import EXAMPLE, Demo, Events, until

CHANNELS = ["host", "jitter", "spectrum", "vitals", "alarms", "recent"]
BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SENSOR_USER, WEB_GROUP = "games", "www-data"  # of the test with two users: any two that Debian always has

NGINX_MAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1; {user}
events {{ }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/tmp-1; proxy_temp_path {folder}/tmp-2; fastcgi_temp_path {folder}/tmp-3;
    uwsgi_temp_path {folder}/tmp-4; scgi_temp_path {folder}/tmp-5;
    include {folder}/site.conf;
}}
"""


def program(name, pattern):
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") or next(iter(sorted(glob.glob(pattern))), None)
    if not found:
        pytest.skip(f"there is no {name} (apt install nginx-light php-fpm)")
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Site(Demo):
    """The three programs, a php-fpm pool and nginx in scratch folders; Demo's helpers talk to it."""

    def __init__(self, nginx, fpm, has_two_users):
        self.folder = tempfile.mkdtemp(prefix="weir-demo-test-", dir="/dev/shm")
        os.chmod(self.folder, 0o755)
        for name in ("shm", "run"):
            os.mkdir(f"{self.folder}/{name}")
            os.chmod(f"{self.folder}/{name}", 0o1777)
        self.environment = {**os.environ, "WEIR_SHM_DIR": self.folder + "/shm", "PYTHONPATH": str(BUILD / "bindings/python"),
                            "PYTHONDONTWRITEBYTECODE": "1"}
        self.has_two_users, self.port, self.processes = has_two_users, free_port(), []
        self.start_programs()
        self.start_pool(fpm)
        self.start_nginx(nginx)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *arguments, **options):
        log = open(f"{self.folder}/log-{len(self.processes)}", "w", encoding="utf-8")
        self.processes.append(subprocess.Popen(arguments, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options))

    def start_programs(self):
        more = f"&mode=0640&group={WEB_GROUP}" if self.has_two_users else ""
        who = {"user": SENSOR_USER, "group": SENSOR_USER, "extra_groups": [WEB_GROUP]} if self.has_two_users else {}
        address = {name: f"demo/{name}?keep=0{more}" for name in CHANNELS}
        rights = f"?mode=0660&group={WEB_GROUP}" if self.has_two_users else ""
        control = f"unix://{self.folder}/run/control.sock" + rights
        for name in ("host", "jitter"):
            self.start("/usr/bin/python3", str(EXAMPLE / f"sensors/{name}.py"), address[name], **who)
        self.start(str(BUILD / "examples/telemetry/processing/analyse"), "--control", control,
                   *[word for name in CHANNELS for word in (f"--{name}", address[name])], **who)

    def start_pool(self, fpm):
        """The pool of the guide, with the test's places and users."""
        user = WEB_GROUP if self.has_two_users else getpass.getuser()
        pool = (EXAMPLE / "server/php-fpm.conf").read_text()
        pool = re.sub(r"^(user|group) = daq$", rf"\1 = {user}" if os.geteuid() == 0 else "", pool, flags=re.MULTILINE)
        pool = re.sub(r"^listen\.owner = .*$", "", pool, flags=re.MULTILINE)
        pool = pool.replace("/run/php", self.folder).replace("/run/telemetry", self.folder + "/run")
        pool += f"env[WEIR_SHM_DIR] = {self.folder}/shm\n"
        if self.has_two_users:
            pool += "".join(f"env[WEIR_DEMO_{name.upper()}] = 'shm://~{SENSOR_USER}/demo/{name}'\n"
                            for name in CHANNELS)
        pathlib.Path(self.folder, "fpm.conf").write_text(f"[global]\nerror_log = {self.folder}/fpm.log\ndaemonize = no\n{pool}")
        root = ["-R"] if os.geteuid() == 0 else []
        self.start(fpm, "-n", *root, "-d", f"extension={BUILD}/php/weir.so", "-y", self.folder + "/fpm.conf")

    def start_nginx(self, nginx):
        site = (EXAMPLE / "server/nginx.conf").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        site = site.replace("/usr/share/weir/telemetry", str(EXAMPLE)).replace("/run/php", self.folder)
        pathlib.Path(self.folder, "site.conf").write_text(site.replace("include fastcgi_params", "include /etc/nginx/fastcgi_params"))
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        pathlib.Path(self.folder, "nginx.conf").write_text(NGINX_MAIN.format(folder=self.folder, user=user))
        self.start(nginx, "-e", self.folder + "/nginx.log", "-c", self.folder + "/nginx.conf")

    def said(self):
        return "\n".join(pathlib.Path(name).read_text() for name in sorted(glob.glob(self.folder + "/*log*")))

    def is_complete(self):
        assert all(process.poll() is None for process in self.processes), self.said()
        try:
            return all(self.get("/api/latest").json()["channels"].values())
        except (OSError, ValueError):
            return False

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module", params=["one user", "two users"])
def site(request):
    nginx, fpm = program("nginx", "/usr/sbin/nginx"), program("php-fpm8.2", "/usr/sbin/php-fpm*")
    if request.param == "two users" and os.geteuid() != 0:
        pytest.skip("only root can run programs as two users")
    running = Site(nginx, fpm, request.param == "two users")
    try:
        until(running.is_complete, "values in every channel")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{running.said()}") from error
    yield running
    running.close()


def test_page(site):
    answer = site.get("/")
    assert answer.status == 200 and "weir" in answer.text and answer.headers["Server"].startswith("nginx")


def test_assets_come_from_nginx(site):
    for name, kind in [("app.js", "javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg"), ("uplot/uPlot.esm.js", "javascript")]:
        answer = site.get("/assets/" + name)
        assert answer.status == 200 and kind in answer.headers["Content-Type"] and "X-Powered-By" not in answer.headers, name
    for name in ("package.json", "../page/lib.php", "node_modules/uplot/package.json"):
        assert site.get("/assets/" + name).status == 404, name


def test_stream_is_not_gathered(site):
    """Events arrive one by one while the stream is open."""
    events = Events(site)
    assert events.status == 200
    seen = {}
    for _, message in events.messages():
        seen.setdefault(message["name"], []).append(message)
        if len(seen.get("host", [])) >= 10 and len(seen.get("recent", [])) >= 2:
            break
    events.close()
    assert all(message["age"] < 1 for message in seen["host"][1:]), [message["age"] for message in seen["host"]]


def test_control(site):
    answer = site.get("/control", b"op=set_window&value=256", Accept="application/json", Origin=site.url)
    assert answer.status == 200 and answer.json()["settings"]["window"] == 256
    until(lambda: len(site.get("/api/latest").json()["channels"]["spectrum"]["data"]) == 129, "the other spectrum")
    answer = site.get("/control", b"op=set_window&value=3", Accept="application/json", Origin=site.url)
    assert answer.status == 422 and "not 3" in answer.json()["error"]


def test_browser(site, browser):
    browser.do("open", url=site.url + "/", options={})
    browser.until_states({name: "live" for name in ("host", "jitter", "spectrum", "vitals", "recent")}, "every value to be live")
    until(lambda: browser.link() == "live", "the stream")
    assert browser.do("complaints") == []

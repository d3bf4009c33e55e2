# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: headless Chromium, which prefers X25519MLKEM768.

One start of the browser loads a page from a web server without TLS, and that page loads something twice from a
listener for each of the rules. What was negotiated is what the browser's own log of its network says.

timeout: 300
"""

import collections
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import PKI, SUITE, Process, fail, row, server  # noqa: E402

GROUP_OF = {0x11EC: "X25519MLKEM768", 29: "x25519", 23: "secp256r1", 24: "secp384r1"}
NAME_OF = {one.code: one.name for one in SUITE.values()}

PAGE = """<!doctype html><title>loading</title>
<body style="margin:0;background:linear-gradient(90deg,#c00000,#00a000,#0000c0)">
<h1 style="color:white">Served by a program that knows no TLS</h1><p id="said" style="color:white"></p>
<script>
async function load() {
	let said = "";
	for (const port of %s) {
		for (const time of [1, 2]) {
			try {
				await fetch(`https://localhost:${port}/text?close&${time}`, {mode: "no-cors", cache: "no-store"});
				said += " good";
			} catch (error) {
				said += " bad:" + port;
			}
		}
	}
	document.title = "loaded";
	document.getElementById("said").textContent = said;
}
load();
</script>
"""


def browser():
    """The command, or None: Ubuntu's is a stub that wants a snap."""
    for command in "chromium", "chromium-browser":
        if it.have(command):
            answer = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
            if re.match(r"Chromium \d", answer.stdout):
                return command
    return None


def colours(path):
    """How many colours there are in a picture: PNG of 8 bits, RGB or RGBA, as Chromium writes it."""
    data = path.read_bytes()
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8 : at + 18])
        elif kind == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    size = {2: 3, 6: 4}[colour]
    if depth != 8:
        fail(f"a picture of {depth} bits")
    raw, stride = zlib.decompress(packed), width * size
    before, found = bytearray(stride), collections.Counter()
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - size] if x >= size else 0
            up, corner = before[x], before[x - size] if x >= size else 0
            if kind == 1:
                line[x] = (line[x] + left) & 255
            elif kind == 2:
                line[x] = (line[x] + up) & 255
            elif kind == 3:
                line[x] = (line[x] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                near = min(
                    (abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner)
                )
                line[x] = (line[x] + near[2]) & 255
        found.update(bytes(line[x : x + 3]) for x in range(0, stride, size))
        before = line
    return found


def net_log(path):
    """What the browser says of each TLS connection: (version, suite, group, resumed)."""
    text = path.read_text()
    try:
        log = json.loads(text)
    except json.JSONDecodeError:
        log = json.loads(text.rstrip().rstrip(",") + "]}")
    kind = log["constants"]["logEventTypes"]["SSL_CONNECT"]
    found = collections.Counter()
    for event in log["events"]:
        said = event.get("params", {})
        if event["type"] == kind and "cipher_suite" in said:
            version, resumed = said["version"][4:], said["is_resumed"]
            # In an abbreviated handshake of TLS 1.2 it names the group of the first one.
            group = "" if version == "1.2" and resumed else GROUP_OF[said["key_exchange_group"]]
            found[version, NAME_OF[said["cipher_suite"]], group, resumed] += 1
    return found


def load_all(ports):
    home = it.scratch() / "home"
    (home / ".pki" / "nssdb").mkdir(parents=True)
    database = f"sql:{home}/.pki/nssdb"
    subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True)
    for name in "ca", "ca-rsa":
        subprocess.run(
            ["certutil", "-A", "-d", database, "-n", name, "-t", "C,,", "-i", PKI / f"{name}.pem"], check=True
        )
    picture, log = it.scratch() / "page.png", it.scratch() / "net.json"
    with Process(
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={home}/profile",
        f"--screenshot={picture}",
        "--window-size=400,300",
        f"--log-net-log={log}",
        "--virtual-time-budget=20000",
        f"https://localhost:{ports[0]}/page",
        env={"HOME": str(home)},
    ) as process:
        process.finish(120)
        if not picture.exists():
            fail("there is no picture")
    seen, ours = colours(picture), server.connections(2 * len(ports))
    if len(seen) < 100 or not any(red > 180 and blue < 20 for red, _, blue in seen):
        fail(f"the picture has {len(seen)} colours")
    yield
    # Each of our connections is one of its connections, and it says the same of them.
    theirs = net_log(log)
    both = collections.Counter(
        (one["version"], one["suite"], one.get("group", ""), one["resumed"]) for one in ours
    )
    if both - theirs:
        fail(f"our log and Chromium's differ: {both} {theirs}")
    for want, port in zip(wants, ports):
        mine = [one for one in ours if f":{port} tls" in one["line"] or f":{port}:" in one["line"]]
        for resumed in False, True:
            # An abbreviated handshake of TLS 1.2 has no group.
            group = "" if resumed and want.version == "1.2" else want.group
            expected = (want.version, group, resumed)
            if expected not in [(one["version"], one.get("group", ""), one["resumed"]) for one in mine]:
                fail(f"{want}, resumed {resumed}: not among {mine}")
            yield


if not browser():
    it.skip_all("there is no Chromium from a package (a snap does not count)")
if not it.have("certutil"):
    it.skip_all("certutil of libnss3-tools is not installed")
wants, ports = [], []
for want, members in (
    (it.as_they_like("1.3")._replace(group="X25519MLKEM768"), ()),
    (it.as_they_like("1.3", "rsa-both")._replace(group="X25519MLKEM768"), ()),
    (it.as_they_like("1.3")._replace(group="x25519"), ("group",)),
    (it.as_they_like("1.3")._replace(group="secp256r1"), ("group",)),
    (it.as_they_like("1.3")._replace(group="secp384r1"), ("group",)),
    (it.as_they_like("1.2")._replace(group="x25519"), ("group",)),
    (it.as_they_like("1.2", "rsa-both")._replace(group="secp256r1"), ("group",)),
):
    wants.append(want)
    ports.append(server.for_want(want, *(it.by_us(want, *members) if members else [])))
page = it.scratch() / "page.html"
page.write_text(PAGE % ports)
os.environ["TALK_PAGE"] = str(page)
titles = ["Chromium shows a page of ours, over X25519MLKEM768"]
for want in wants:
    kind = "RSA" if "rsa" in want.cert else "ECDSA"
    titles += [
        f"Chromium to us, TLS {want.version}, {want.group}, {kind}, {how}" for how in ("full", "resumed")
    ]
row(load_all, ports, titles=titles)
it.main("web")

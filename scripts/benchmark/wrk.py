"""The generator: wrk with one thread, on the core that is not the server's."""
import json
import os
import subprocess
import time

from .machine import fail, pinned, seconds_of
from .shop import headers

# One request again and again is made once: then the generator's Lua runs for nothing but its end.
SCRIPT = """
wrk.method = "POST"
%(headers)s
local bodies = {
%(bodies)s
}
wrk.body = bodies[1]
if #bodies > 1 then
  local requests, next = {}, 0
  init = function(args)
    for i, body in ipairs(bodies) do requests[i] = wrk.format(nil, nil, nil, body) end
  end
  request = function()
    next = next %% #requests + 1
    return requests[next]
  end
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\n{"requests": %%d, "microseconds": %%d, "refused": %%d, "lost": %%d, "p50": %%.4f, "p99": %%.4f}\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


class Target:
    """Where a load is sent, and what is sent."""

    def __init__(self, name, server, port, path, file, bodies, token=None):
        self.name, self.server, self.port, self.path = name, server, port, path
        self.file = file
        fields = "\n".join(f"wrk.headers[{json.dumps(key)}] = {json.dumps(value)}" for key, value in headers(token).items())
        file.write_text(SCRIPT % {"headers": fields, "bodies": ",\n".join(f"[==[{body}]==]" for body in bodies)})


def bodies(document, every):
    return [json.dumps({"query": document, "variables": variables}) for variables in every]


def run(core, target, clients, seconds, database, warming=False):
    """One run: requests a second, times in milliseconds, and the shares of their cores that all had. While it warms up, a server
    that connects to its database may answer nothing at all."""
    before, database_before, begun = seconds_of(target.server), database.seconds(), time.perf_counter()
    generator = subprocess.Popen(
        pinned(core, ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", target.file,
                      f"http://127.0.0.1:{target.port}{target.path}"]),
        stdout=subprocess.PIPE, text=True)
    text = generator.stdout.read()
    _, status, usage = os.wait4(generator.pid, 0)
    generator.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - begun
    if generator.returncode:
        fail(f"wrk failed on {target.name}: {text}")
    told = json.loads(text.strip().splitlines()[-1])
    if told["refused"] or told["lost"] or not (warming or told["requests"]):
        fail(f"{target.name}: {told} at {target.path}")
    return {"rate": told["requests"] / told["microseconds"] * 1e6, "p50": told["p50"], "p99": told["p99"],
            "generator": (usage.ru_utime + usage.ru_stime) / took, "server": (seconds_of(target.server) - before) / took,
            "database": (database.seconds() - database_before) / took}

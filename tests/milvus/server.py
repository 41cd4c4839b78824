"""Runs a command beside a Milvus server of the wheel ``milvus==2.3.5``, and starts the server again whenever it is killed.

    .milvus-venv/bin/python tests/milvus/server.py .venv/bin/python -m pytest tests/milvus

The command finds the server's address in NITARI_MILVUS_URI and its process id in the file that NITARI_MILVUS_PID names.
This server listens on every interface, whatever it is told. So both run in a network of their own, where there is only
loopback; where the system allows none, they run without, and a line says so. Data are in a temporary folder that goes.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

INSIDE = "NITARI_MILVUS_INSIDE"
PORT = "NITARI_MILVUS_PORT"


def main() -> int:
    if INSIDE not in os.environ:
        isolated = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        able = (
            all(map(shutil.which, ("unshare", "ip")))
            and not subprocess.run([*isolated, "true"], capture_output=True).returncode
        )
        if not able:
            sys.stderr.write("No network of its own could be had: the Milvus server listens on every interface\n")
        os.environ[INSIDE] = "1"
        command = [*(isolated if able else []), sys.executable, *sys.argv]
        os.execvp(command[0], command)
    with tempfile.TemporaryDirectory(prefix="nitari-milvus-server-") as folder:
        return beside(Path(folder), sys.argv[1:])


def beside(folder: Path, command: list[str]) -> int:
    import milvus

    data = folder / "data"
    config = milvus.MilvusServerConfig(data_dir=str(data), proxy_port=int(os.environ.get(PORT, "19530")))
    config.resolve()
    milvus._initialize_data_files(str(data))
    health, held = config.resolve_port(9091)
    held.close()
    run = {"DEPLOY_MODE": "STANDALONE", "METRICS_PORT": str(health), "MILVUS_RUN_DIR": str(data / "run")}
    libraries = f"{data / 'bin'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    pid, done = folder / "pid", threading.Event()
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (folder / "log").open("ab") as log:
            processes.append(
                subprocess.Popen(
                    [str(data / "bin" / "milvus"), "run", "standalone"],
                    cwd=data,
                    env={**os.environ, **run, "LD_LIBRARY_PATH": libraries},
                    stdout=log,
                    stderr=log,
                    preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),  # it ends when this ends, however
                )
            )
        pid.write_text(str(processes[-1].pid))
        while processes[-1].poll() is None and not healthy(f"http://127.0.0.1:{health}/healthz"):
            time.sleep(0.1)

    def keep() -> None:
        while not done.wait(0.1):
            if processes[-1].poll() is not None:
                start()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        start()
        if processes[-1].poll() is not None:
            sys.stderr.write(f"Milvus ended at once: {(folder / 'log').read_text(errors='replace')[-2000:]}\n")
            return 1
        keeper = threading.Thread(target=keep)
        keeper.start()
        uri = f"http://127.0.0.1:{config.get('proxy_port')}"
        try:
            return subprocess.call(command, env={**os.environ, "NITARI_MILVUS_URI": uri, "NITARI_MILVUS_PID": str(pid)})
        finally:
            done.set()
            keeper.join()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return b"OK" in answer.read()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

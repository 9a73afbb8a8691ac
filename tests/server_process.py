"""A real server of another project as a process of its own: started with a log, killed as a crash would, frozen and thawed."""

import signal
import subprocess
from pathlib import Path


class ServerProcess:
    """One server process with its files in `folder`. `kill` and a start again keep the data, as after a crash."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self, command: list[str], working_folder: Path) -> None:
        """Start the process; what it prints goes to the file `log` in its folder."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=working_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End the server at once; what it acknowledged is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let the server accept connections and never answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

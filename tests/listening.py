"""Which ports of other processes can be reached from other machines."""

import ipaddress

import psutil


def open_to_others() -> list[str]:
    """Return what this process and those that it started listen on beyond loopback: name of the process, address and port."""
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return [f"{process.name()} {found.laddr.ip} {found.laddr.port}" for process in ours for found in _listening(process)]


def _listening(process: psutil.Process) -> list:
    try:
        found = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return []
    return [one for one in found if one.status == psutil.CONN_LISTEN and not _on_loopback(one.laddr.ip)]


def _on_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip.removeprefix("::ffff:")).is_loopback

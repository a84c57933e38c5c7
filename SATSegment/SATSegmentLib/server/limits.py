"""How much one server takes, from one user and from all of them."""

from __future__ import annotations

from dataclasses import dataclass

GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class ServerLimits:
    """Limits on size, count and time. Bytes and seconds.

    Attributes
    ----------
    scan_bytes : int
        Voxels of one scan.
    user_bytes : int
        Voxels and image features of all scans of one user; the features used longest ago are let go first.
    total_bytes : int
        Voxels of all users' scans.
    user_scans, user_runs : int
        Scans that a user may have here, and runs that may be waiting or going on.
    request_bytes : int
        Of a request's JSON; masks to teach from are in it.
    prompts : int
        Structures of one run.
    run_seconds : float
        A run that takes longer is ended.
    lease_seconds : float
        A scan whose client says nothing for so long leaves.
    idle_seconds : float
        So does a scan that nobody has asked anything about for so long, heartbeat or not.
    orphan_seconds : float
        A run that nobody listens to for so long is cancelled.
    result_seconds : float
        A result that nobody fetches is kept for so long.
    stall_seconds : float
        An upload that brings nothing for so long is ended.
    chunk_seconds : float
        One piece of an upload has to arrive within this.
    """

    scan_bytes: int = 4 * GIGABYTE
    user_bytes: int = 32 * GIGABYTE
    total_bytes: int = 16 * GIGABYTE
    user_scans: int = 16
    user_runs: int = 16
    request_bytes: int = 64 << 20
    prompts: int = 1000
    run_seconds: float = 3600.0
    lease_seconds: float = 60.0
    idle_seconds: float = 1800.0
    orphan_seconds: float = 20.0
    result_seconds: float = 600.0
    stall_seconds: float = 20.0
    chunk_seconds: float = 300.0

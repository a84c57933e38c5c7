"""Shards of a cohort as jobs of a cluster, through submitit: SLURM, or this computer to try it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import SATSegmentError

CLUSTERS = ("slurm", "local", "debug")


def submit(
    run: Callable[[Sequence[str]], int],
    words: Sequence[str],
    count: int,
    folder: Path,
    cluster: str,
    parameters: Mapping[str, str | int],
) -> list[Any]:
    """Submit a cohort's command once for each shard, as one array of jobs.

    Parameters
    ----------
    run : callable
        Does a shard's command line, in the job; a function of a module, so that the job finds it by its name.
    words : sequence of str
        The command line without `--shard`.
    count : int
        Number of shards.
    folder : Path
        Of the jobs' logs; must be seen by all nodes.
    cluster : {"slurm", "local", "debug"}
        Where.
    parameters : mapping
        As submitit's `update_parameters`: timeout_min, slurm_partition, gpus_per_node, cpus_per_task, mem_gb.

    Returns
    -------
    list of submitit.Job

    Raises
    ------
    SATSegmentError
        submitit is not installed, the cluster is not there, or a parameter is unknown.
    """
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise SATSegmentError(
            "Jobs are submitted with the package submitit, which is not installed.", "pip install 'satsegment[cohort]'"
        ) from error
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(name="satsegment", **parameters)
        shards = [[*words, "--shard", f"{number}/{count}"] for number in range(1, count + 1)]
        return list(executor.map_array(run, shards))
    except (RuntimeError, TypeError, NameError, ValueError, OSError) as error:
        reason = str(error).strip().rstrip(".")
        raise SATSegmentError(f"The jobs could not be submitted: {reason}.", "Check the cluster and --job.") from error

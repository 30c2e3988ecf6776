"""MLflow, through its client, so that no global state of the user's own code is touched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.bench.trackers.tracker import Tracked
from bitproof.core import MissingExtra

#: Longer texts are cut: MLflow refuses them.
LONGEST = 6000


@dataclass(frozen=True)
class MLflow:
    """MLflow: mlflow[:uri=URI,experiment=NAME].

    ``uri``: a tracking server (http://…) or a database; without, what MLFLOW_TRACKING_URI says, else MLflow's default, a database
    in the current folder. Databases need the whole package: pip install mlflow.
    """

    uri: str | None = None
    experiment: str = "bitproof"
    source: ClassVar[str] = "https://mlflow.org"
    version: ClassVar[int] = 1

    def begin(self, run: Tracked) -> _Log:
        """Go on with the run that was begun before, or create one."""
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise MissingExtra("mlflow", "mlflow", "--track mlflow") from None
        client = MlflowClient(self.uri)
        if run.before:
            return _Log(client, run.before)
        found = client.get_experiment_by_name(self.experiment)
        experiment = found.experiment_id if found else client.create_experiment(self.experiment)
        made = client.create_run(experiment, run_name=run.name)
        for name, text in run.settings.items():
            client.log_param(made.info.run_id, name, text[:LONGEST])
        return _Log(client, made.info.run_id)


class _Log:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.id = client, name
        client.update_run(name, status="RUNNING")

    def figures(self, figures: Mapping[str, float], step: int) -> None:
        """See ``Log``."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self.client.log_batch(self.id, metrics=[Metric(name, value, now, step) for name, value in figures.items()])

    def close(self) -> None:
        """See ``Log``."""
        self.client.set_terminated(self.id)

"""Hydra configuration: one YAML a job, one folder a component family, experiment/ for named sets."""

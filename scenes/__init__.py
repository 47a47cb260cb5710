"""The industry: machines, stock, and one file per task. Importing it makes the tasks known to Gymnasium."""

from scenes.catalog import environments
from sim.envs import register_tasks

_KNOWN = environments()
register_tasks(
    {name: address for name, (address, _) in _KNOWN.items()},
    max_episode_steps={name: steps for name, (_, steps) in _KNOWN.items() if steps},
)

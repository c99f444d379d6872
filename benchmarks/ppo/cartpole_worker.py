"""CartPole by PPO with equal settings, by hotloop (as it is, or with its step compiled), stable-baselines3 or sbx.

One turn at a time: reads lines from stdin. `go N` trains N updates and answers with steps, CPU and wall seconds as one
line of JSON; `evaluate N` answers with the mean return of N deterministic episodes; the end of the input ends it. Runs
under the interpreter that has the library: `python cartpole_worker.py hotloop|hotloop-step|sb3|sbx SEED`.
"""

import functools
import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

NUM_ENVS, NUM_STEPS, BATCH, PASSES = 8, 32, 256, 20
GAMMA, LAM, CLIP, LR, CLIP_NORM = 0.98, 0.8, 0.2, 1e-3, 0.5
TOTAL = 100_000


class Commands:
    """Waits for the next command between two updates, and answers the last one."""

    def __init__(self) -> None:
        self.left, self.done = 0, 0
        self.began = (0.0, 0.0)

    def between_updates(self) -> None:
        """Called before each update; returns once it may go on."""
        self.left -= 1
        if self.left > 0:
            return
        if self.done:
            cpu, wall = time.process_time() - self.began[0], time.perf_counter() - self.began[1]
            print(json.dumps({"steps": self.done * NUM_ENVS * NUM_STEPS, "cpu": cpu, "wall": wall}), flush=True)
        line = sys.stdin.readline().split()
        if not line:
            os._exit(0)
        self.left = self.done = int(line[1])
        self.began = time.process_time(), time.perf_counter()


def by_hotloop(seed: int, commands: Commands, *, is_compiled: bool = False) -> Any:
    """Train to the end; the function that gives the mean return of N episodes."""
    import torch

    from hotloop import models
    from hotloop.models.policy.network_call import NetworkCall
    from hotloop.train.ppo.evaluate import episode_returns
    from hotloop.train.ppo.options import PPOOptions
    from hotloop.train.ppo.players import NetworkPlayer
    from hotloop.train.ppo.run import train_ppo
    from hotloop.workloads.environments.gymnasium import GymnasiumConfig, GymnasiumEnvironment

    def environment(first_seed: int) -> GymnasiumEnvironment:
        return GymnasiumEnvironment(GymnasiumConfig(id="CartPole-v1", num_envs=NUM_ENVS, seed=first_seed))

    torch.manual_seed(seed)
    model: Any = models.create("mlp", observation_size=4, num_actions=2)
    options = PPOOptions(
        total_steps=TOTAL,
        num_steps=NUM_STEPS,
        batch_size=BATCH,
        passes=PASSES,
        gamma=GAMMA,
        gae_lambda=LAM,
        clip=CLIP,
        clip_norm=CLIP_NORM,
        lr=LR,
        lr_schedule="linear",
        lr_final_fraction=0.0,
        entropy_coef=0.0,
        threads=1,
        compile="step" if is_compiled else None,
    )
    commands.between_updates()
    train_ppo(model, environment(seed), options, seed=seed, on_update=lambda _: commands.between_updates())

    def evaluate(episodes: int) -> float:
        player = NetworkPlayer("trained", model, NetworkCall(None), deterministic=True)
        returns = episode_returns(environment(seed + 10_000), player, episodes=episodes)
        return sum(returns) / len(returns)

    return evaluate


def by_sb3(seed: int, commands: Commands, *, is_jax: bool = False) -> Any:
    """Train to the end, in torch or, as sbx, in JAX; the function that gives the mean return of N episodes."""
    import torch

    if is_jax:
        from sbx import PPO
    else:
        from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)

    class Turns(BaseCallback):
        def _on_rollout_start(self) -> None:
            commands.between_updates()

        def _on_step(self) -> bool:
            return True

    model = PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", n_envs=NUM_ENVS, seed=seed),
        n_steps=NUM_STEPS,
        batch_size=BATCH,
        n_epochs=PASSES,
        gamma=GAMMA,
        gae_lambda=LAM,
        clip_range=CLIP,
        max_grad_norm=CLIP_NORM,
        learning_rate=lambda left: LR * left,
        ent_coef=0.0,
        seed=seed,
        device="cpu",
    )
    model.learn(TOTAL, callback=Turns())

    def evaluate(episodes: int) -> float:
        held_out = make_vec_env("CartPole-v1", n_envs=NUM_ENVS, seed=seed + 10_000)
        return float(evaluate_policy(model, held_out, n_eval_episodes=episodes)[0])

    return evaluate


def main() -> None:
    """Train in turns, then evaluate on command."""
    library, seed = sys.argv[1], int(sys.argv[2])
    commands = Commands()
    compiled = functools.partial(by_hotloop, is_compiled=True)
    evaluate = {
        "hotloop": by_hotloop,
        "hotloop-step": compiled,
        "sb3": by_sb3,
        "sbx": functools.partial(by_sb3, is_jax=True),
    }[library](seed, commands)
    commands.left = 0
    print(json.dumps({"finished": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"episode_return": evaluate(int(line.split()[1]))}), flush=True)


if __name__ == "__main__":
    main()

"""genba's engine: tasks built as MuJoCo models, rolled out into episodes. It knows MuJoCo and no industry."""

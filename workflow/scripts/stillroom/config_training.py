"""The check of the training blocks: what each says can be done, and nothing in it is without effect."""

from stillroom.config_schema import config_error


def check_training(name: str, training: dict) -> None:
    """The keys of one training block go together."""
    path = ("training", name)
    if training["patience"] and not training["validate_every"]:
        raise config_error((*path, "patience"), "needs validate_every, the steps between validations.")
    check_schedule(path, training)


def check_schedule(path: tuple, training: dict) -> None:
    """The learning rate rises, stays or falls within the steps, and not below a minimum above its peak."""
    schedule, steps, warmup_steps = training["schedule"], training["steps"], training["warmup_steps"]
    minimum, peak = training["minimum_learning_rate"], training["learning_rate"]
    if warmup_steps > steps:
        raise config_error((*path, "warmup_steps"), f"found {warmup_steps}, but there are {steps} steps.")
    if schedule != "constant" and warmup_steps == steps:
        message = f"found {warmup_steps}, which leaves none of the {steps} steps to the schedule {schedule}."
        raise config_error((*path, "warmup_steps"), message)
    if minimum and schedule == "constant":
        raise config_error((*path, "minimum_learning_rate"), "has no effect with schedule constant; take the key out.")
    if minimum > peak:
        raise config_error((*path, "minimum_learning_rate"), f"found {minimum}, but learning_rate is {peak}.")

"""Values of ZenML secrets: the one place below the steps that asks ZenML for something."""

from __future__ import annotations

from finetrieve.core.errors import InputError


def secret_values(name: str, example: str) -> dict[str, str]:
    """Returns what a ZenML secret holds, by key.

    Args:
        name: The secret.
        example: The keys that `zenml secret create` is advised with where there is no such secret: `--api_key=...`.

    Raises:
        InputError: It is not there.
    """
    from zenml.client import Client

    try:
        return {key: str(value) for key, value in Client().get_secret(name).secret_values.items()}
    except (KeyError, NotImplementedError) as error:
        raise InputError(
            f"There is no ZenML secret '{name}' ({type(error).__name__}): create it with `zenml secret create {name} {example}`."
        ) from None


def secret_value(name: str) -> str:
    """Returns the value of a ZenML secret, named as `secret.key`.

    Raises:
        InputError: It is not there.
    """
    secret, _, key = name.partition(".")
    values = secret_values(secret, f"--{key}=...")
    if key not in values:
        raise InputError(f"The ZenML secret '{secret}' has no key '{key}'; it has: {', '.join(sorted(values)) or 'none'}.")
    return values[key]

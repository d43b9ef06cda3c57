"""Prints docs/configuration.md's table from the table of settings in the code."""

from orchestrator.settings import OPTIONS


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    lines = [row("flag", "variable", "key", "default", "meaning"), row(*["---"] * 5)]
    for option in OPTIONS:
        default = "" if option.default in (None, (), {}, False) else f"`{option.default}`"
        flag = (option.flag or "").partition("/")[0]
        lines.append(
            row(
                f"`{flag}`" if flag else "",
                f"`{option.env}`" if option.env else "",
                f"`{option.name}`" if option.in_file else "",
                default,
                option.help,
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())

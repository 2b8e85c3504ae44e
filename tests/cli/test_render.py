from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from trax.cli import render, render_models, render_status
from trax.cli.text import percent, span, speed
from trax.text import printable, size

Make = Callable[..., dict[str, Any]]

#: What a recording may be called: anything, undecodable bytes, escape sequences, direction marks, markup, wide and combining characters.
hostile = st.text(st.characters(categories=None), min_size=1, max_size=60) | st.sampled_from(
    [
        "\x1b]0;owned\x07",
        "\x1b[2J\x1b[H",
        "\x9b31m",
        "a\u202egpj.exe",
        "[red]x[/red]",
        ":smile:",
        "\udcff\udcfe.mp3",
        "line\nbreak",
        "会議" * 40,
        "e\u0301" * 60,
    ]
)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e9)


def printed(view: RenderableType, width: int = 100, *, rich: bool = False) -> str:
    out = io.StringIO()
    colours: Literal["standard"] | None = "standard" if rich else None
    console = Console(file=out, width=width, force_terminal=rich, color_system=colours, markup=False, emoji=False, highlight=False)
    console.print(view)
    return out.getvalue()


@given(hostile)
def test_a_shown_name_moves_no_cursor_and_hides_nothing(name: str) -> None:
    safe = printable(name)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in safe)
    assert not set(safe) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    safe.encode("utf-8")


@given(hostile)
def test_showing_twice_changes_nothing(name: str) -> None:
    assert printable(printable(name)) == printable(name)


def test_shown_says_what_was_there() -> None:
    assert printable("a\nb") == r"a\nb"
    assert printable("\x1b[2J") == r"\x1b[2J"
    assert printable("a\u202eb") == r"a\u202eb"
    assert printable("caf\udce9") == r"caf\xe9"
    assert printable("Zürich, 会議.mp3") == "Zürich, 会議.mp3"


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=hostile, width=st.integers(20, 200), progress=numbers, eta=numbers)
def test_a_status_is_safe_and_no_wider_than_the_terminal(
    name: str, width: int, progress: float | None, eta: float | None, view: Make, status: Make
) -> None:
    error = {"code": "damaged", "what": f"Bad: {name}", "advice": f"Mend {name}", "file": name, "permanent": True}
    job = view(name=name, output=name, progress=progress, eta_seconds=eta, speed=progress, error=error)
    text = printed(render_status.status_view(status(running=[job], queued=[job], recent=[job], failed=[job]), 2000.0, bars=True), width)
    lines = text.splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for line in text.split("\n") for character in line)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=hostile, width=st.integers(20, 120))
def test_a_job_is_safe_and_no_wider_than_the_terminal(name: str, width: int, view: Make) -> None:
    settings = {"asr": {"vocabulary": [name]}}
    job = view(name=name, output=name, outputs=[name], settings=settings, stages=["decode"], folder=name, media_id="0" * 64)
    text = printed(render.job_view(job, 2000.0, bars=True), width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for line in text.split("\n") for character in line)


def test_a_status_says_all_that_people_ask_for(view: Make, status: Make) -> None:
    error = {"code": "damaged", "what": "It is cut short.", "advice": "Export it again.", "file": None, "permanent": True}
    text = printed(
        render_status.status_view(
            status(
                counts={"queued": 53, "running": 1, "failed": 1, "completed": 0},
                running=[view(id="run-1", status="running", stage="transcribe", progress=0.427, speed=3.44, eta_seconds=125.0)],
                queued=[view(id="wait-1", name="later.mp3"), view(id="wait-2", name="again.mp3", attempts=1, not_before=2030.0)],
                recent=[view(id="done-1", name="old.mp3", output="old", status="completed", duration=3600.0, changed=1940.0)],
                failed=[view(id="bad-1", name="bad.mp3", status="failed", attempts=3, error=error)],
            ),
            2000.0,
            bars=False,
        )
    )
    for words in (
        "traxd 2.0 · process 7 · up 18m20s · workers: 1, 1 busy, 314.6 MB",
        "53 queued · 1 running · 1 failed",
        "transcribe",
        "42%",
        "3.4×",
        "2m05s",
        "next try in 30s",
        "… and 51 more",
        "completed",
        "1h00m",
        "It is cut short.",
        "Export it again.",
        "attempts: 3",
    ):
        assert words in text, words
    assert "0 completed" not in text


def test_a_status_says_which_models_are_loaded_and_what_they_cost(view: Make, status: Make) -> None:
    models = [{"name": "small.en", "mb": 700.0}, {"name": "a\x1b[2Jb", "mb": 1.0}]
    cache = {"budget_mb": 3712.0, "loads": 3, "loads_ahead": 1, "evictions": 1, "models": models}
    workers = [
        {"lane": "transcribe-1", "pid": 8, "busy": True, "rss_mb": 800.0, "cache": cache},
        {"lane": "diarize", "pid": 9, "busy": False, "rss_mb": 50.0, "cache": None},
    ]
    daemon = {"pid": 7, "version": "2.0", "started": 900.0, "workers": workers}
    text = printed(render_status.status_view(status(daemon=daemon), 2000.0, bars=False), 140)
    assert "838.9 MB  3.9 GB    small.en 734.0 MB, a\\x1b[2Jb 1.0 MB" in text
    assert "diarize" not in text, "it has loaded nothing"
    assert "Workers" not in printed(render_status.status_view(status(), 2000.0, bars=False))


def test_a_status_from_the_ledger_says_that_no_daemon_runs(status: Make) -> None:
    assert "without the daemon" in printed(render_status.status_view(status(daemon=None), 2000.0, bars=False))


def test_bars_are_drawn_only_when_asked_for(view: Make, status: Make) -> None:
    running = status(running=[view(status="running", stage="vad", progress=0.5)])
    assert "━" in printed(render_status.status_view(running, 0.0, bars=True))
    assert "━" not in printed(render_status.status_view(running, 0.0, bars=False))


def test_a_job_that_waits_for_a_worker_is_shown_in_no_stage_and_without_a_speed(view: Make, status: Make) -> None:
    running = status(running=[view(status="running", stage=None, progress=0.03, waits_for="a worker")])
    said = printed(render_status.status_view(running, 0.0, bars=False))
    assert "waits for a worker" in said
    assert "×" not in said


def test_names_are_no_markup(view: Make, status: Make) -> None:
    assert "[red]x[/red]" in printed(render_status.status_view(status(queued=[view(name="[red]x[/red]")]), 0.0, bars=True), rich=True)


def test_progress_shows_what_moves() -> None:
    moving = [
        {"job": str(index), "name": f"{index}.wav", "stage": "vad", "fraction": 0.5, "speed": 2.0, "cpu_percent": 180.0, "memory_mb": 512.0}
        for index in range(20)
    ]
    text = printed(render.progress_view(moving, 30))
    assert "19.wav" in text
    assert "0.wav\n" not in text
    assert "180%" in text
    assert "512.0 MB" in text
    assert "of 30" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0, "0s"), (59.4, "59s"), (60, "1m00s"), (3599.9, "1h00m"), (7800, "2h10m"), (90000, "1d01h"), (-3, "0s")],
)
def test_lengths_of_time(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


def test_shares_speeds_and_sizes() -> None:
    assert [percent(value) for value in (None, 0.0, 0.999, 1.0, 1.7, -1.0)] == ["-", "0%", "99%", "100%", "100%", "0%"]
    assert [speed(value) for value in (None, 3.44)] == ["-", "3.4×"]
    assert [size(value) for value in (0, 999, 1000, 5_700_000, 2e9, 3e12)] == ["0 B", "999 B", "1.0 kB", "5.7 MB", "2.0 GB", "3000.0 GB"]


def test_nested_settings_become_dotted_keys() -> None:
    assert render.flat({"asr": {"language": "de", "vocabulary": []}, "version": None}) == [
        ("asr.language", "de"),
        ("asr.vocabulary", "[]"),
        ("version", "null"),
    ]


def test_a_status_says_what_is_waited_for_and_what_stays_in_the_inbox(view: Make, status: Make) -> None:
    full = view(status="queued", waits_for="room on the disk of the outbox", missing_bytes=12_000_000)
    untaken = {"name": "a\nb.mp3", "what": "Permission denied.", "advice": "Let the group write."}
    text = printed(render_status.status_view(status(queued=[full], untaken=[untaken]), 2000.0, bars=False), width=140)
    assert "for room on the disk of the outbox (12.0 MB more)" in text
    assert all(part in text for part in (r"a\nb.mp3", "Permission denied.", "Let the group write."))


def test_the_queue_says_why_the_last_attempt_failed(view: Make, status: Make) -> None:
    failed = view(status="queued", attempts=1, not_before=2030.0, error={"code": "worker-crashed", "what": "It ended by SIGKILL.\x1b[2J"})
    text = printed(render_status.status_view(status(queued=[failed, view(status="queued")]), 2000.0, bars=False), width=140)
    assert r"It ended by SIGKILL.\x1b[2J" in text
    assert "last failure" in text
    assert "last failure" not in printed(render_status.status_view(status(queued=[view(status="queued")]), 2000.0, bars=False), width=140)


def test_models_say_what_decides_whether_to_fetch_them() -> None:
    codes = [f"l{number}" for number in range(99)]
    installed = {"name": "mine", "kind": "asr", "engine": "whisper", "scope": "open", "languages": codes, "size": 8e7, "licence": "MIT"}
    known = {"name": "small.en", "source": "https://here", "size": 264_500_000, "memory_mb": 852, "languages": ["en"], "licence": "MIT"}
    bare = {"name": "other", "source": "https://there", "size": None, "languages": [], "licence": "MIT", "note": "Slow."}
    known["files"], bare["files"] = [{"name": "a.bin"}], [{"name": "b.bin"}, {"name": "c.json"}]
    others = [{"origin": "download", **entry} for entry in (known, bare, {"name": "mine"}, {"name": "unready", "loadable": False})]
    couples = [{"fast": "small.en", "refine": "other", "default": True}, {"fast": "mine", "refine": "other"}]
    text = printed(render_models.models_view([installed], [*others, {"name": "shipped", "origin": "shipped"}], couples), width=120)
    assert "99 languages" in text
    assert [line.rstrip() for line in text.splitlines()[-9:]] == [
        "small.en  264.5 MB to fetch · 852.0 MB of memory · en · MIT",
        "          https://here/a.bin",
        "other     MIT · Slow.",
        "          https://there/b.bin",
        "          https://there/c.json",
        "",
        "Go together, the fast one first:",
        "small.en + other (default)",
        "mine + other",
    ]
    assert "unready" not in text
    assert "shipped" not in text


def test_models_say_what_uses_them() -> None:
    def shown(**users: Any) -> str:
        return printed(render_models.models_view([{"name": "mine", "used_by": users}], [], []), width=120).splitlines()[-1]

    assert "asr.fast_model, 2 jobs" in shown(settings=["asr.fast_model"], jobs=["1", "2"])
    assert "auto, 1 job" in shown(auto=True, jobs=["1"])


def test_a_cancelled_job_shows_what_failed_before_without_its_advice(view: Make) -> None:
    job = view(status="cancelled", error={"what": "It was killed.", "advice": "Trax tries again by itself."})
    text = printed(render.job_view(job, 2000.0, bars=False))
    assert "It was killed." in text
    assert "tries again" not in text


def test_an_answer_that_is_owed_is_told(view: Make, status: Make) -> None:
    owed = view(status="failed", waits_for="the outbox: read-only", error={"what": "It is empty.", "advice": "Copy it again."})
    assert "not in the outbox yet: the outbox: read-only" in printed(render_status.status_view(status(failed=[owed]), 2000.0, bars=False))
    assert "the outbox: read-only" in printed(render.job_view(owed, 2000.0, bars=False))

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax import files
from trax.errors import DiskFull, JobError, LedgerError, TraxError
from trax.jobs import ledger as ledger_module
from trax.jobs.damaged import kept_beside
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.storage import Encoder, Snapshot, pack, unpack


def job(number: int, status: Status = Status.QUEUED, **fields: object) -> Job:
    made = Job(
        id=f"20261122-{number:06d}-abcdef",
        source_name=f"sub/{number}\udcff.mp3",
        output_name=f"sub/{number}",
        stages=("transcribe",),
        settings={"language": "en", "number": number % 2},
        settings_hash=f"hash{number % 2}",
        created=1000.0 + number,
        changed=2000.0 + number,
        status=status,
        finished=3000.0 + number if status in {Status.COMPLETED, Status.FAILED, Status.CANCELLED} else None,
    )
    return dataclasses.replace(made, **fields)


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LIVE_FINISHED", 5)
    monkeypatch.setattr(ledger_module, "BATCH", 3)


class TestLookups:
    def test_what_is_put_is_there_after_reopening(self, tmp_path: Path) -> None:
        Ledger(tmp_path).put(job(1))
        assert Ledger(tmp_path).get(job(1).id) == job(1)
        assert Ledger.read_only(tmp_path).get(job(1).id) == job(1)
        assert Ledger(tmp_path).get("no such") is None

    def test_find_by_id_beginning_or_output_name(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        for number in (1, 2):
            ledger.put(job(number))
        assert ledger.find(job(1).id) == job(1)
        assert ledger.find("20261122-000002") == job(2)
        assert ledger.find("sub/2") == job(2)
        for text in ("20261122", "nothing", "", "../\udcff\n"):
            with pytest.raises(JobError):
                ledger.find(text)

    def test_who_waits_and_until_when(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.put(job(3))
        ledger.put(job(2))
        ledger.put(job(1, not_before=50.0))
        ledger.put(job(0, Status.RUNNING))
        assert ledger.next_due(49.0) == 50.0
        assert ledger.next_due(50.0) is None
        assert [found.id for found in ledger.by_status(Status.QUEUED)] == [job(number).id for number in (1, 2, 3)]

    def test_summaries(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(20):
            ledger.put(job(number, Status.FAILED if number % 5 == 0 else Status.COMPLETED))
        ledger.put(job(20))
        counts = ledger.counts()
        assert (counts[Status.FAILED], counts[Status.COMPLETED], counts[Status.QUEUED], counts[Status.RUNNING]) == (4, 16, 1, 0)
        assert ledger.recent(2) == (job(19, Status.COMPLETED), job(18, Status.COMPLETED))
        assert ledger.failed(1) == (job(15, Status.FAILED),)
        assert ledger.taken_names() >= {"sub/20", "sub/15"}
        assert "sub/19" not in ledger.taken_names()


class TestArchives:
    def test_old_jobs_move_and_stay_findable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(50):
            ledger.put(job(number, Status.COMPLETED))
        for opened in (ledger, Ledger(tmp_path), Ledger.read_only(tmp_path)):
            assert 5 <= len(opened.live()) < 8
            assert opened.get(job(0).id) == job(0, Status.COMPLETED)
            assert opened.find("sub/3") == job(3, Status.COMPLETED)
            assert opened.find("20261122-000004").id == job(4).id
            assert job(0).id in opened
            assert sorted(found.id for found in opened.everything()) == [job(number).id for number in range(50)]

    def test_a_retried_job_is_live_again_and_its_newest_state_holds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(20):
            ledger.put(job(number, Status.FAILED))
        again = job(0, Status.COMPLETED, attempts=2, finished=3100.0)
        ledger.put(again)
        assert Ledger(tmp_path).counts()[Status.FAILED] == 19
        for number in range(200, 220):
            ledger.put(job(number, Status.COMPLETED))
        assert job(0).id not in {found.id for found in ledger.live()}
        assert Ledger(tmp_path).get(job(0).id) == again
        assert sum(found.id == again.id for found in Ledger(tmp_path).everything()) == 1

    def test_a_damaged_archive_is_told_and_the_rest_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(30):
            ledger.put(job(number, Status.COMPLETED))
        first = min(tmp_path.glob("archive-*.json"))
        (tmp_path / "archive-copy.json").write_bytes(first.read_bytes())  # an administrator's: not ours to read
        data = bytearray(first.read_bytes())
        data[len(data) // 2] ^= 1
        first.write_bytes(data)
        opened = Ledger(tmp_path)
        assert opened.damaged == (first,)
        assert opened.get(job(0).id) is None
        assert opened.get(job(10).id) == job(10, Status.COMPLETED)
        for number in range(30, 60):
            opened.put(job(number, Status.COMPLETED))
        assert first.read_bytes() == data

    def test_a_full_disk_leaves_finished_jobs_where_they_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)

        def no_room(*_: object) -> None:
            raise DiskFull("No room.")

        with monkeypatch.context() as patch:
            patch.setattr(files, "write_bytes", no_room)
            patch.setattr(ledger._storage, "write", lambda _: None)
            for number in range(8):
                ledger.put(job(number, Status.COMPLETED))
        assert len(ledger.live()) == 8


records = st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text() | st.lists(st.booleans()), max_size=3)
tables_of_records = st.dictionaries(st.sampled_from(["jobs", "settings"]), st.dictionaries(st.text(max_size=3), records, max_size=4))


class TestSnapshots:
    @given(st.lists(tables_of_records, max_size=5))
    def test_kept_texts_are_those_of_the_records(self, story: list[dict[str, dict[str, object]]]) -> None:
        encoder = Encoder()
        for tables in story:
            assert json.loads(b"".join(encoder.encode(tables))) == tables

    @given(st.binary(max_size=50), st.data())
    def test_every_cut_and_every_flipped_bit_is_noticed(self, noise: bytes, data: st.DataObject) -> None:
        tables = {"jobs": {"a": {"text": noise.hex()}}}
        whole = pack(7, Encoder().encode(tables))
        assert unpack(whole) == Snapshot(7, tables)
        assert unpack(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None
        flipped = bytearray(whole)
        flipped[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert unpack(bytes(flipped)) is None

    def test_cut_at_every_byte_the_former_snapshot_is_used_and_the_bad_one_kept(self, tmp_path: Path) -> None:
        original = tmp_path / "original"
        original.mkdir()
        ledger = Ledger(original)
        ledger.put(job(1))
        ledger.put(job(1, Status.RUNNING))
        newest = max(original.glob("ledger-?.json"), key=lambda path: unpack(path.read_bytes()).sequence)
        whole = newest.read_bytes()
        for length in range(len(whole)):
            newest.write_bytes(whole[:length])
            seen = Ledger.read_only(original)
            assert seen.get(job(1).id) == job(1)
            assert seen.damaged == (newest,)
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            folder = tmp_path / f"cut-{length}"
            shutil.copytree(original, folder)
            (folder / newest.name).write_bytes(whole[:length])
            opened = Ledger(folder)
            assert opened.get(job(1).id) == job(1)
            (beside,) = opened.damaged
            opened.put(job(2))
            opened.put(job(3))
            assert beside.read_bytes() == whole[:length]
            assert Ledger(folder).get(job(2).id) == job(2)

    def test_after_damage_there_are_two_good_snapshots_again(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.put(job(1))
        for _ in range(3):
            newest = max(tmp_path.glob("ledger-?.json"), key=lambda path: unpack(path.read_bytes()).sequence)
            newest.write_bytes(newest.read_bytes()[:-1])
            assert Ledger(tmp_path).damaged
        assert len(kept_beside(tmp_path)) == 3
        assert len([path for path in tmp_path.glob("ledger-?.json") if unpack(path.read_bytes())]) == 2

    def test_what_the_disk_cannot_give_back_is_damaged_and_what_may_not_be_read_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(20):
            ledger.put(job(number, Status.COMPLETED))
        newest = max(tmp_path.glob("ledger-?.json"), key=lambda path: unpack(path.read_bytes()).sequence)
        broken = {newest, min(tmp_path.glob("archive-*.json"))}
        read = Path.read_bytes

        def refuse(number: int) -> None:
            def read_bytes(path: Path) -> bytes:
                if path in broken:
                    raise OSError(number, os.strerror(number))
                return read(path)

            monkeypatch.setattr(Path, "read_bytes", read_bytes)

        refuse(errno.EIO)
        seen = Ledger.read_only(tmp_path)
        assert set(seen.damaged) == broken
        assert seen.get(job(19).id) == job(19, Status.COMPLETED)
        refuse(errno.EACCES)
        with pytest.raises(LedgerError, match="cannot be read"):
            Ledger.read_only(tmp_path)

    def test_with_no_good_snapshot_it_refuses_and_touches_nothing(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.put(job(1))
        ledger.put(job(2))
        for path in tmp_path.iterdir():
            path.write_bytes(path.read_bytes()[:-1])
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        for _ in range(2):
            with pytest.raises(LedgerError, match="Neither"):
                Ledger(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_archives_without_snapshots_are_no_new_ledger(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small(monkeypatch)
        ledger = Ledger(tmp_path)
        for number in range(20):
            ledger.put(job(number, Status.COMPLETED))
        for path in tmp_path.glob("ledger-?.json"):
            path.unlink()
        with pytest.raises(LedgerError, match="gone"):
            Ledger(tmp_path)

    def test_readers_do_not_write(self, tmp_path: Path) -> None:
        Ledger(tmp_path).put(job(1))
        with pytest.raises(LedgerError):
            Ledger.read_only(tmp_path).put(job(2))
        with pytest.raises(LedgerError):
            Ledger.read_only(tmp_path / "nothing").put(job(2))
        assert not (tmp_path / "nothing").exists()

    def test_after_a_full_disk_all_is_as_before_and_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = Ledger(tmp_path)
        ledger.put(job(1))

        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", no_room)
            with pytest.raises(DiskFull):
                ledger.put(job(1, Status.RUNNING))
        assert ledger.get(job(1).id) == job(1) == Ledger.read_only(tmp_path).get(job(1).id)
        ledger.put(job(1, Status.RUNNING))
        assert Ledger(tmp_path).get(job(1).id) == job(1, Status.RUNNING)

    def test_after_a_failed_fsync_it_never_claims_to_have_written_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = Ledger(tmp_path)
        ledger.put(job(1))

        def broken(*_: object) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            with pytest.raises(TraxError):
                ledger.put(job(1, Status.COMPLETED))
        with pytest.raises(LedgerError):
            ledger.put(job(1, Status.COMPLETED))
        assert ledger.get(job(1).id) == job(1)

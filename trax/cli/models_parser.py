"""The command line of `trax-ctl models`."""

from __future__ import annotations

from trax.cli.arguments import positive
from trax.cli.command import Subparsers, command


def add_models(commands: Subparsers) -> None:
    """Add `models` and its actions."""
    parser = command(
        commands,
        "models",
        "list, pull, add, remove or check the models",
        "",
        "  trax-ctl models list\n  trax-ctl models pull small.en\n  trax-ctl models verify",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    command(
        actions,
        "list",
        "list the models: those installed, those that can be pulled, and which go together",
        "Of an installed one its kind, engine, scope (open: any speech; else what it is limited to), languages, size, licence and what\n"
        "uses it: a setting that names it, auto (what is taken where no setting names one), unfinished jobs. Of the others the size of\n"
        "the download, the memory it needs, languages, licence, the address of each file.",
        "  trax-ctl models list\n  trax-ctl models list --json",
    )
    pull = command(
        actions,
        "pull",
        "fetch a model of the catalogue and install it",
        "Trax uses the network for this and for exporting by an id alone. What broke off, or was stopped by Ctrl-C, goes on where it\n"
        "stopped: give the same command again. What comes must have the hash that the catalogue knows; where nobody published one, it is\n"
        "pinned: later pulls must bring the same.",
        "  trax-ctl models pull small.en\n  trax-ctl models pull small.en --from /media/usb\n"
        "  trax-ctl models pull small.en --from https://files.example.org/models",
    )
    pull.add_argument("name", metavar="NAME", help="the model's name, as `trax-ctl models list` shows it")
    source = "the file, a folder with its files, or the address below which they lie (default: Hugging Face, or what models.mirror names)"
    pull.add_argument("--from", metavar="DIR|URL", dest="source", help=source)
    add = command(
        actions,
        "add",
        "add a model from a file",
        "Takes a whisper.cpp model (a ggml .bin file), checks that it is whole and copies it into state/models. One of the catalogue\n"
        "becomes what `trax-ctl models pull` makes of it; under another name it stays as it is.",
        "  trax-ctl models add ggml-small.en-q8_0.bin\n  trax-ctl models add mine.bin --name mine --scope digits --window 6",
    )
    add.add_argument("file", metavar="FILE", help="the model's file")
    add.add_argument("--name", help="the name it gets (default: as the catalogue knows it, else the file's)")
    add.add_argument("--scope", help="what it can do: open for any speech, else a word such as digits (default: as the catalogue knows it)")
    add.add_argument("--languages", metavar="CODES", help="the languages it is good at, such as en,de (default: those it was made for)")
    add.add_argument("--licence", help="its licence, to be shown with it")
    add.add_argument("--source", metavar="TEXT", help="where it came from, to be shown with it")
    window = "how much it hears at once, for a model trained on less than Whisper's 30 seconds"
    add.add_argument("--window", metavar="SECONDS", type=positive, help=window)
    remove = command(
        actions,
        "remove",
        "remove a model that was pulled or added",
        "Not one that came with Trax, that a setting names, or that an unfinished job needs. traxd may run meanwhile.",
        "  trax-ctl models remove small.en",
    )
    remove.add_argument("name", metavar="NAME", help="the model's name, as `trax-ctl models list` shows it")
    calibrate = command(
        actions,
        "calibrate",
        "learn from labelled recordings how far apart two voices are for a model",
        "DIR holds recordings with a .rttm file of the same name beside each, which says who speaks when; an hour of twenty people or\n"
        "more is a good beginning. The threshold goes onto the card of a model that was pulled or added. For one that came with Trax\n"
        "it is shown, to be set as diarize.threshold.",
        "  trax-ctl models calibrate ge2e meetings/",
    )
    calibrate.add_argument("name", metavar="NAME", help="the model of voices, as `trax-ctl models list` shows it")
    calibrate.add_argument("folder", metavar="DIR", help="the recordings and their references")
    command(
        actions,
        "verify",
        "check every model against its checksum",
        "And whether it is whole. Exits 1 when one is missing or damaged.",
        "  trax-ctl models verify",
    )
    setup = command(
        actions,
        "setup",
        "fetch and convert the built-in speaker model",
        "Needed once, with a Python package index in reach; everything after works offline.",
        "  trax-ctl models setup",
    )
    setup.add_argument("--into", metavar="DIR", help="where it goes (default: the folder of the models that come with Trax)")
    export = command(
        actions,
        "export",
        "make ONNX of a pyannote.audio checkpoint and install it",
        "Takes WeSpeakerResNet34, XVectorSincNet and XVectorMFCC (telling voices apart) and PyanNet (hearing several at once): a file, or\n"
        "the id of a model on Hugging Face. Needs torch and pyannote.audio (pip install 'trax[export]'), which nothing else does. What\n"
        "was made is compared with the original on real speech before it is installed. Nothing in a checkpoint is run.",
        "  trax-ctl models export pyannote/wespeaker-voxceleb-resnet34-LM --licence CC-BY-4.0\n"
        "  trax-ctl models export pytorch_model.bin --name voices --int8",
    )
    export.add_argument("checkpoint", metavar="FILE|ID", help="the checkpoint, or OWNER/NAME[@REVISION] of a model on Hugging Face")
    export.add_argument("--name", help="the name it gets (default: that on the hub, or the file's)")
    export.add_argument("--int8", action="store_true", help="keep the weights in eight bits: a quarter of the size, as fast as without")
    threshold = "the cosine distance up to which two voices are one (default: 0.7, until it is calibrated)"
    export.add_argument("--threshold", type=positive, metavar="DISTANCE", help=threshold)
    export.add_argument("--licence", help="its licence, to be shown with it")
    export.add_argument("--source", metavar="TEXT", help="where the file came from, to be shown with it")

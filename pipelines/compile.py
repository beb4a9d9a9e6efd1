"""Write the compiled pipelines: `python -m pipelines.compile [FOLDER]`."""

import sys
from pathlib import Path

from kfp import compiler

from pipelines.evaluate import evaluate
from pipelines.finetune_and_evaluate import finetune_and_evaluate

PIPELINES = {"finetune_and_evaluate": finetune_and_evaluate, "evaluate": evaluate}


def compile_pipelines(folder: Path) -> None:
    """Compile every pipeline to `folder`/<name>.yaml."""
    for name, pipeline in PIPELINES.items():
        compiler.Compiler().compile(pipeline, str(folder / f"{name}.yaml"))


if __name__ == "__main__":
    compile_pipelines(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))

"""The project's documents, and what they ask the reader to type."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md", "own/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:dvc|make|python|pip) [^`]+)`")
STAGES = re.compile(r"benchmarks/dvc\.yaml:\S+( benchmarks/dvc\.yaml:\S+)*")
"""Measurements: which ones are named changes with what is stale."""
EXPORT = re.compile(r"export \w+=")


def text_of(document: Path) -> str:
    """Return a document's Markdown; of a notebook, that of its cells."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def commands(document: Path) -> list[str]:
    """Return the commands of a document's shell blocks and those quoted in its lines, without their comments."""
    text = text_of(document)
    lines = [line for block in BLOCK.findall(text) for line in re.sub(r" *\\\n *", " ", block).splitlines()]
    typed = [re.split(r"\s+#", line)[0].strip() for line in lines if not EXPORT.match(line)]
    quoted = [" ".join(command.split()) for command in INLINE.findall(text)]
    found = [command for command in [*typed, *quoted] if command and not command.startswith("#")]
    return [STAGES.sub("benchmarks/dvc.yaml:NAME", command) for command in found]


RUN = [
    "make run",
    "dvc repro",
    "dvc repro tokenize download_cross",
    "dvc exp run -S train.lr=3e-5",
    "dvc metrics diff",
    "dvc params diff",
    "dvc plots diff",
    "dvc exp show --only-changed",
    "make compare A=main B=NAME",
    "make compare A=main B=my-experiment",
    "git checkout params.yaml && dvc repro",
    "dvc exp apply NAME",
    "dvc commit dvc.yaml",
    "dvc status dvc.yaml",
    "dvc status benchmarks/dvc.yaml",
    "dvc metrics diff HEAD~1",
    "make plots",
    "make report",
    "make figures",
    "make clean",
    "python -m sentiment.predict reviews.csv -o scored.parquet",
    "dvc exp run -S dataset=reviews.csv",
    "dvc exp run -S dataset=reviews.csv -S download.label=stars -S 'download.labels={1: 0, 2: 0, 3: drop, 4: 1, 5: 1}'",
    "dvc add own/reviews.csv",
    "dvc remote add --local --default kept FOLDER",
    "dvc push",
    "dvc pull",
]
"""What a test types, in this order: tests/pipeline/test_typed_commands.py."""

PAGE = "tests/app/test_page.py::test_the_verdict_follows_while_one_types_and_the_last_text_wins"
IMAGE = "tests/deploy/test_image.py::test_the_replayed_image_answers_as_the_model_does_and_writes_to_tmp_alone"
CACHE = "tests/pipeline/test_places.py::test_a_cache_in_another_place_has_the_outputs_once_and_stages_write_beside_it"
QUEUED = "tests/pipeline/test_experiments.py::test_queued_and_temporary_experiments_need_nothing_untracked"
TUNED = (
    "tests/tuning/test_experiments.py::"
    "test_two_workers_one_of_them_killed_leave_every_trial_as_an_experiment_and_no_trace"
)
ARRAY = "tests/tuning/test_experiments.py::test_the_tasks_of_an_array_leave_their_experiments_where_home_can_pull_them"
MACHINES = "tests/sentiment/training/test_machines.py::test_two_machines_learn_what_one_does_and_dvc_is_told"
RUN_CACHE = (
    "tests/pipeline/test_remotes.py::"
    "test_through_a_remote_the_run_cache_restores_only_what_was_sent_and_no_stage_with_metrics"
)
FOLDED = (
    "tests/pipeline/test_experiments.py::"
    "test_folds_score_every_training_review_once_compare_two_settings_and_train_nothing_twice"
)
JOB = "tests/deploy/test_slurm.py::test_it_runs_the_pipeline_or_any_other_command_of_dvc_and_ends_as_that_does"
COVERED = {
    "sbatch deploy/slurm.sbatch": JOB,
    "sbatch --nodes=1 deploy/slurm.sbatch exp run -S train.lr=3e-5": JOB,
    "python -m torch.distributed.run --nnodes 2 --nproc-per-node gpu --rdzv-backend c10d --rdzv-endpoint HOST:29500 "
    "-m stages.train": MACHINES,
    "dvc repro tokenize": MACHINES,
    "dvc commit --force train": MACHINES,
    "make serve": PAGE,
    """curl -s localhost:7860/api/v1/predict -d '{"texts": ["A joy.", "Two dull hours."]}'""": (
        "tests/app/test_api.py::test_json_is_read_whatever_a_client_calls_it"
    ),
    "docker build --tag sentiment .": IMAGE,
    "docker run --rm --read-only --tmpfs /tmp --publish 7860:7860 sentiment": IMAGE,
    "docker build --build-arg PACKAGES=requirements-scale.txt --tag registry.example.org/sentiment:ray-2.60.0 .": (
        "tests/deploy/test_kuberay.py::test_one_image_with_the_pinned_ray_is_what_all_containers_run_and_what_is_built"
    ),
    "docker compose up --build --detach": (
        "tests/deploy/test_image.py::test_the_composed_service_can_write_nowhere_but_to_tmp_and_is_limited"
    ),
    "make space": "tests/deploy/test_image.py::test_a_space_has_all_of_the_image_and_tells_the_hub_how_it_is_run",
    "make run TORCH=cpu TORCH_INDEX=ADDRESS": (
        "tests/test_setup.py::test_the_build_of_torch_that_was_asked_for_is_installed_and_stays"
    ),
    "make run PYTHON=python3.12": ("tests/test_setup.py::test_a_python_that_is_too_old_or_too_new_is_refused"),
    "make run DVC_CACHE=/scratch/me/dvc": CACHE,
    "dvc config --local cache.shared group": CACHE,
    "dvc checkout --relink": CACHE,
    "make push NAME=USER/NAME": (
        "tests/deploy/test_push.py::test_a_pushed_model_has_its_card_and_graph_and_comes_back_the_same"
    ),
    "make licences": "tests/report/test_licences.py::test_the_document_states_a_licence_of_every_pinned_package",
    "make cache": ("tests/pipeline/test_faults.py::test_a_damaged_entry_of_the_cache_is_noticed_removed_and_made_anew"),
    "make audit": "tests/test_supply_chain.py::test_an_audit_says_what_it_found_and_never_passes_without_having_asked",
    "dvc checkout": (
        "tests/pipeline/test_faults.py::test_truncated_flipped_and_deleted_outputs_are_brought_back_from_the_cache"
    ),
    "dvc remote add --default storage ssh://me@host/srv/sentiment": (
        "tests/pipeline/test_remotes.py::test_a_push_over_ssh_that_was_cut_off_goes_on_where_it_was"
    ),
    "for lr in 5e-5 1e-4 2e-4; do dvc exp run -S train.lr=$lr; done": (
        "tests/pipeline/test_experiments.py::"
        "test_an_experiment_with_another_rate_reruns_train_and_what_follows_and_can_be_undone"
    ),
    **dict.fromkeys(["make tune", "make tune WORKERS=2", "make tune PLAN=mine.yaml"], TUNED),
    "sbatch deploy/tune.sbatch": ARRAY,
    "dvc exp pull --remote cluster cluster NAME": ARRAY,
    "dvc exp pull --no-cache cluster NAME": ARRAY,
    "dvc exp push --no-cache": ARRAY,
    "dvc exp run --temp": QUEUED,
    **dict.fromkeys(
        [
            "dvc push --run-cache",
            "dvc push --all-commits",
            "dvc pull --run-cache",
            "dvc repro --pull",
            "dvc pull models/sentiment",
            "dvc gc --workspace",
        ],
        RUN_CACHE,
    ),
    "dvc exp run -S 'compare_tokenizers.pretrained=[roberta-base]'": (
        "tests/stages/test_compare_tokenizers.py::test_a_tokenizer_of_the_users_own_is_compared_too"
    ),
    "python -m sentiment.predict reviews/ -o scored/": (
        "tests/sentiment/scoring/test_several_files.py::"
        "test_a_directory_is_scored_file_by_file_under_names_that_keep_the_endings"
    ),
    "python -m sentiment.predict reviews/ -o scored/ --workers 8": (
        "tests/sentiment/scoring/test_on_ray.py::test_killed_workers_and_drivers_lose_nothing_and_score_nothing_twice"
    ),
    "python -m sentiment.predict 's3://bucket/reviews/*.parquet' -o s3://bucket/scored/": (
        "tests/sentiment/scoring/test_remote.py::"
        "test_a_remote_folder_is_scored_into_another_and_a_rerun_finds_nothing_to_do"
    ),
    "python -m tests.hub_server FOLDER": (
        "tests/hub/test_downloads.py::test_the_hubs_bytes_arrive_and_are_announced_before"
    ),
    "make seeds N=5": (
        "tests/pipeline/test_experiments.py::"
        "test_several_seeds_give_a_mean_and_a_standard_deviation_of_every_headline_metric"
    ),
    **dict.fromkeys(["make folds", "make folds K=5", "make folds K=5 SET='train.lr=1e-4'"], FOLDED),
    "python -m benchmarks.label_audit": (
        "tests/benchmarks/test_label_audit.py::"
        "test_the_audit_writes_a_ranked_table_that_people_can_open_and_counts_by_label"
    ),
    "python -m benchmarks.label_audit --unlabelled reviews.csv -o to_label.csv": (
        "tests/benchmarks/test_label_audit.py::"
        "test_a_file_without_labels_is_ranked_the_most_uncertain_first_and_near_duplicates_once"
    ),
}
"""What another test does with other words, or without what would take long."""

HUB = "needs the hub"
HOURS = "takes hours"
SERVER = "needs a server of one's own"
MAC = "needs an Apple processor"
KUBERNETES = "needs a cluster of Kubernetes"
ELSEWHERE = {
    "dvc exp run -S dataset=NAME": HUB,
    "dvc exp run -S model=NAME": HUB,
    "dvc exp run -S dataset=imdb -S 'tokenize.parts=[1, 3]' -S train.epochs=1.5 -S train.batch_size=16 "
    "-S subsample.train_size=2000 -S subsample.test_size=1000": HUB,
    "dvc exp run -S dataset=imdb -S model=distilbert-base-uncased -S train.epochs=2 "
    "-S train.lr=5e-5 -S tokenize.max_length=128": HUB,
    "dvc exp run -S dataset=imdb -S subsample.validation_share=0.05 -S tokenize.max_length=512 "
    "-S 'tokenize.parts=[2]' -S train.epochs=1 -S train.validations_per_epoch=1 "
    "-S train.lr=0.0002 -S train.pretrained_share=0.0 -S train.averaging=0.99 "
    "-S train.correct_bias=by_length -S tokenize.train_max_length=112": HUB,
    "dvc exp run -S device=cpu --name on-cpu": MAC,
    "dvc exp run -S device=mps --name on-mps": MAC,
    "make compare A=on-cpu B=on-mps": MAC,
    "hf auth login": HUB,
    "hf repos create NAME --type space --space-sdk docker": HUB,
    "hf upload USER/NAME space . --type space": HUB,
    "cd /opt/sentiment": SERVER,
    "python3 -m venv .venv": SERVER,
    ".venv/bin/pip install --requirement requirements-app.txt": SERVER,
    "systemctl enable --now sentiment": SERVER,
    "systemctl edit sentiment": SERVER,
    "systemctl reload sentiment": SERVER,
    "systemctl restart sentiment": SERVER,
    "journalctl --unit sentiment --follow": SERVER,
    "gcloud run deploy sentiment --image IMAGE --cpu 2 --memory 1Gi --concurrency 64 --allow-unauthenticated "
    "--set-env-vars 'SENTIMENT_THREADS=2,FORWARDED_ALLOW_IPS=*'": "needs an account with a provider",
    "dvc remote modify storage endpointurl": "needs an account with a provider",
    "dvc remote modify --local": "needs an account with a provider",
    "git remote add cluster ssh://me@host/path/sentiment": SERVER,
    "dvc remote add --local cluster ssh://me@host/path/sentiment/.dvc/cache": SERVER,
    **dict.fromkeys(
        ["pip install tensorboard", "pip install mlflow-skinny sqlalchemy alembic", "pip install wandb"],
        "are not pinned",
    ),
    "docker push registry.example.org/sentiment:ray-2.60.0": SERVER,
    "kubectl create secret generic object-store --from-literal=AWS_ACCESS_KEY_ID=... "
    "--from-literal=AWS_SECRET_ACCESS_KEY=...": KUBERNETES,
    "kubectl apply -f deploy/kuberay.yaml": KUBERNETES,
    "kubectl delete -f deploy/kuberay.yaml": KUBERNETES,
    "make soak": HOURS,
    "dvc repro benchmarks/dvc.yaml:NAME": HOURS,
    "dvc repro --keep-going benchmarks/dvc.yaml": HOURS,
    "python -m benchmarks.models": HOURS,
    "dvc commit benchmarks/dvc.yaml:NAME": "comes after hours",
    **dict.fromkeys(["dvc commit", "dvc exp save"], "is warned of"),
    **dict.fromkeys(["make test", "make test-slow", "make test-all"], "is what runs this"),
    "python -m sentiment.comparison NAME workspace": "the same as make compare",
    "make lock": "needs the package index",
    "pip install -r requirements.txt": "needs the package index",
    "pip install -r requirements-app.txt": "needs the package index",
    "python -m app": "the same as make serve",
    "python -m report": "the same as make report",
    "python -m report.vega": "a part of make run",
    "dvc plots show": "a part of make plots",
    "python -m sentiment.comparison main NAME": "the same as make compare",
    "python -m sentiment.verify_cache": "the same as make cache",
    "python -m deploy.push USER/NAME": "the same as make push",
    "pip install --requirement requirements-scale.txt": "needs the package index",
}
"""What no test can do, and why."""

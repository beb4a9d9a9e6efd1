"""A run is a folder: every file of it by name, once.

CONFIG, SAMPLES, TRAINING, SUMMARY     what was asked, and the data
MODEL/          MANIFEST, LOSSES, TRAIN_LOG beside the weights
<side>/         PREDICTIONS, GENERATION, RESULTS; SCORES, TOTALS, SPECS; VERDICTS, JUDGE,
                SELF_TEST, ANCHORS
<side>/PANEL/   SCORES and COMBINED of all judges, and a folder for each further one
PAIRS, PAIRING  the pairwise verdicts and what they came to
CALIBRATION     how far the judge agrees with people
METRICS         totals, intervals, comparison, gate
REPORT_HTML, REPORT_MARKDOWN, REPORT_JSON
PROGRESS        what each stage reported while it ran
"""

CONFIG = "config.yaml"
SAMPLES = "dataset.jsonl"
TRAINING = "train.jsonl"
SUMMARY = "dataset.json"

MODEL = "model"
MANIFEST = "manifest.json"
LOSSES = "trainer_log.jsonl"
TRAIN_LOG = "train.log"

PREDICTIONS = "predictions.jsonl"
GENERATION = "generation.json"
RESULTS = "all_results.json"
GENERATE_LOG = "generate.log"
ANSWERED = (PREDICTIONS, RESULTS, GENERATION)  # what a side's answers are; the last one says so

SCORES = "scores.jsonl"
TOTALS = "totals.jsonl"
SPECS = "specs.jsonl"

VERDICTS = "verdicts.jsonl"
JUDGE = "judge.json"
SELF_TEST = "self_test.jsonl"
ANCHORS = "anchor_verdicts.jsonl"
PANEL = "panel"
COMBINED = "panel.json"
PAIRS = "pairs.jsonl"
PAIRING = "pairs.json"
CALIBRATION = "calibration.json"

METRICS = "metrics.json"
REPORT_HTML = "report.html"
REPORT_MARKDOWN = "report.md"
REPORT_JSON = "report.json"
HISTORY = "history.json"
PROGRESS = "progress.jsonl"

"""A run is a folder: every file of it by name, once.

CONFIG, SAMPLES, TRAINING, SUMMARY     what was asked, and the data
TRIALS          the verdicts that preflight asked for, where they have a price
MODEL/          MANIFEST, LOSSES, TRAIN_LOG beside the weights
<side>/         PREDICTIONS, GENERATION, RESULTS, LIKELIHOOD; SCORES, TOTALS, SPECS,
                LABELS; VERDICTS, JUDGE, SELF_TEST, ANCHORS, SECOND_VERDICTS
<side>/PANEL/   SCORES and COMBINED of all judges, and a folder for each further one
PAIRS, PAIRING  the pairwise verdicts and what they came to; SECOND_PAIRS those given again
BATCHES         what went by the judge's Batch API, beside the verdicts that wait for it
PARITY          how the served side's answers look to the weights that it is compared with, and
PARITY_OF       which answers and weights these were
CALIBRATION     how far the judge agrees with people
METRICS         totals, intervals, comparison, gate
REPORT_HTML, REPORT_MARKDOWN, REPORT_JSON
HISTORY         the runs before, with the scores of the last comparable one (EARLIER) and of the
                last accepted one (ACCEPTED)
PROGRESS        what each stage reported while it ran
WAITS/          how long each process has waited for the store; one in each task's artifact
"""

CONFIG = "config.yaml"
SAMPLES = "dataset.jsonl"
TRAINING = "train.jsonl"
SUMMARY = "dataset.json"
TRIALS = "trial_verdicts.jsonl"

MODEL = "model"
MANIFEST = "manifest.json"
LOSSES = "trainer_log.jsonl"
TRAIN_LOG = "train.log"

PREDICTIONS = "predictions.jsonl"
GENERATION = "generation.json"
RESULTS = "all_results.json"
LIKELIHOOD = "likelihood.jsonl"
GENERATE_LOG = "generate.log"
# what a side's answers are; the last one says so
ANSWERED = (PREDICTIONS, RESULTS, LIKELIHOOD, GENERATION)

SCORES = "scores.jsonl"
TOTALS = "totals.jsonl"
SPECS = "specs.jsonl"
LABELS = "labels.jsonl"

VERDICTS = "verdicts.jsonl"
JUDGE = "judge.json"
SELF_TEST = "self_test.jsonl"
ANCHORS = "anchor_verdicts.jsonl"
SECOND_VERDICTS = "second_verdicts.jsonl"
PANEL = "panel"
COMBINED = "panel.json"
PAIRS = "pairs.jsonl"
PAIRING = "pairs.json"
SECOND_PAIRS = "second_pairs.jsonl"
BATCHES = "batches.jsonl"
PARITY = "parity.jsonl"
PARITY_OF = "parity.json"
CALIBRATION = "calibration.json"

METRICS = "metrics.json"
REPORT_HTML = "report.html"
REPORT_MARKDOWN = "report.md"
REPORT_JSON = "report.json"
HISTORY = "history.json"
EARLIER = "earlier.json.gz"
ACCEPTED = "accepted.json.gz"
PROGRESS = "progress.jsonl"
WAITS = "waits"
_ANSWERS_OF_JUDGES = (VERDICTS, PAIRS, SECOND_VERDICTS, SECOND_PAIRS, SELF_TEST, ANCHORS)
# what is only appended to, row by row, so that two of them together lose nothing
LOGS = (*_ANSWERS_OF_JUDGES, PROGRESS)
# what each request to a judge leaves
PAID = (*_ANSWERS_OF_JUDGES, BATCHES)

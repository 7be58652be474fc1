"""What the inputs and params are made from: functions of the wildcards, which look the config up.

Named functions and nothing else, in the order of the stages that use them; what they say is in the config, and what is
more than a lookup is in the library. Settings are those of one output only, so that another setting reruns nothing.
"""


def code_of(rule_name, modules=None):
    """The digest of a rule's code: its adaptor and all that it imports; `modules` names what is loaded by name.

    A function of the wildcards, when `modules` is one.
    """
    script = SCRIPTS / f"{rule_name}.py"
    if modules is None:
        return code_of_script(script, SCRIPTS / "stillroom")

    def code(wildcards):
        return code_of_script(script, SCRIPTS / "stillroom", modules(wildcards))

    return code


def ranker_parts(wildcards):
    """The modules that are loaded by name for a ranker."""
    return modules_of_ranker(CONFIG, wildcards.ranker)


def ranker_settings(wildcards):
    """The resolved settings of a ranker."""
    return resolve_ranker(CONFIG, wildcards.ranker)


def passages_of(corpus):
    """The passages of a corpus."""
    return f"{RESULTS}/corpora/{corpus}/passages.parquet"


def tokens_of(corpus, encoder):
    """The token store of a corpus."""
    return f"{RESULTS}/corpora/{corpus}/tokens/{encoder}/tokens.json"


def weights_of(ranker, seed):
    """The weights of a ranker."""
    return f"{RESULTS}/rankers/{ranker}/seed-{seed}/model.safetensors"


def corpus_of(wildcards):
    """The corpus of a test set, a training set or any set of queries."""
    if hasattr(wildcards, "query_set"):
        return QUERY_SETS[wildcards.query_set]["corpus"]
    if hasattr(wildcards, "test_set"):
        return CONFIG["test_sets"][wildcards.test_set]["corpus"]
    return CONFIG["training_sets"][wildcards.training_set]["corpus"]


def corpus_passages(wildcards):
    """The passages that a set of queries searches."""
    return passages_of(corpus_of(wildcards))


def encoder_tokens(wildcards):
    """The token store that a ranker reads, of the corpus that its wildcards name."""
    corpus = getattr(wildcards, "corpus", None) or corpus_of(wildcards)
    return tokens_of(corpus, CONFIG["rankers"][wildcards.ranker]["encoder"])


def versions_of(dataset):
    """The library versions that a data set is made from: `pydocs` only."""
    return library_versions() if dataset.startswith("pydocs") else {}


def modules_of(dataset):
    """The modules that are loaded by name for a data set: `pydocs` only."""
    return ["collections.pydocs"] if dataset.startswith("pydocs") else []


# collections.smk


def downloads_of(dataset, part):
    """That the files of a part of a dataset are there; the embedded collection has none."""
    return [] if dataset.startswith("pydocs") else [f"{RESULTS}/downloads/{dataset}/{part}.json"]


def collection_inputs(wildcards):
    """The files of a corpus, and what a sample of it must not lack."""
    corpus = CONFIG["corpora"][wildcards.corpus]
    inputs = {"downloads": downloads_of(corpus["dataset"], "raw" if corpus["text"] == "raw" else "docs")}
    if corpus["sample"]:
        inputs["kept"] = f"{RESULTS}/corpora/{wildcards.corpus}/kept.parquet"
    return inputs


def choice_settings(wildcards):
    """Whose judged passages, and how many triples of which files, a sample must not lack."""
    return kept_of_sample(CONFIG, wildcards.corpus)


def choice_inputs(wildcards):
    """The files that name those passages."""
    settings = choice_settings(wildcards)
    judging = dict.fromkeys([*settings["judged"], *(dataset for dataset, _ in settings["drawn"])])
    paired = dict.fromkeys(dataset for dataset, _ in settings["pairs"])
    downloads = [(dataset, "queries") for dataset in judging]
    downloads += [(dataset, "docpairs") for dataset in paired]
    return {
        "downloads": [path for dataset, part in downloads for path in downloads_of(dataset, part)],
        "score_files": [score_file_of(teacher) for teacher in settings["teachers"]],
    }


def query_set_settings(wildcards):
    """Which queries of which dataset; those of files that are left out come as an input."""
    settings = {key: value for key, value in QUERY_SETS[wildcards.query_set].items() if key != "without_sets"}
    corpus_dataset = CONFIG["corpora"][settings["corpus"]]["dataset"]
    return {**settings, "corpus_dataset": corpus_dataset}


def query_downloads(wildcards):
    """The files of a set of queries and of those that are left out of it."""
    settings = QUERY_SETS[wildcards.query_set]
    datasets = [settings["dataset"], *settings["without"]]
    return [path for dataset in datasets for path in downloads_of(dataset, "queries")]


def left_out_queries(wildcards):
    """The validation queries that are left out of a set of queries."""
    return [f"{RESULTS}/{folder}/queries.parquet" for folder in QUERY_SETS[wildcards.query_set]["without_sets"]]


def triple_downloads(wildcards):
    """The file of the triples that a dataset brings."""
    return downloads_of(CONFIG["training_sets"][wildcards.training_set]["dataset"], "docpairs")


def corpus_settings(wildcards):
    """The dataset of a corpus and how its text is read; titles are a column where a BM25 searches them."""
    corpus = CONFIG["corpora"][wildcards.corpus]
    titles = any(bm25["fields"] for bm25 in CONFIG["bm25"].values())
    return {**{key: corpus[key] for key in ("dataset", "passages", "sample", "text")}, "titles": titles}


def corpus_versions(wildcards):
    """The library versions that a corpus is made from."""
    return versions_of(CONFIG["corpora"][wildcards.corpus]["dataset"])


def corpus_parts(wildcards):
    """The modules that are loaded by name for a corpus."""
    return modules_of(CONFIG["corpora"][wildcards.corpus]["dataset"])


def query_set_parts(wildcards):
    """The modules that are loaded by name for a set of queries."""
    return modules_of(QUERY_SETS[wildcards.query_set]["dataset"])


def training_set_parts(wildcards):
    """The modules that are loaded by name for the triples of a training set."""
    return modules_of(CONFIG["training_sets"][wildcards.training_set]["dataset"])


def query_set_versions(wildcards):
    """The library versions that a set of queries is made from."""
    return versions_of(QUERY_SETS[wildcards.query_set]["dataset"])


def encoder_settings(wildcards):
    """The settings of an encoder that its token ids depend on."""
    encoder = CONFIG["encoders"][wildcards.encoder]
    return {"weights": encoder["weights"], "revision": encoder["revision"]}


def learning_queries(wildcards):
    """All queries that any ranker is trained or stopped on."""
    return [f"{RESULTS}/{folder}/queries.parquet" for folder in QUERY_SETS if not folder.startswith("test_sets/")]


# bm25.smk


def index_of(corpus, bm25):
    """The index of a corpus that a BM25 searches."""
    fields = "_fields" if CONFIG["bm25"][bm25]["fields"] else ""
    return f"{RESULTS}/corpora/{corpus}/bm25_index{fields}"


def has_fields(wildcards):
    """Whether titles are a field of their own in an index."""
    return bool(wildcards.fields)


def test_set_index(wildcards):
    """The index that a BM25 searches for a test set."""
    return index_of(corpus_of(wildcards), wildcards.bm25)


def candidate_index(wildcards):
    """The index that is searched for candidates; none where a ranker finds them, by another rule."""
    bm25 = candidate_source(wildcards)["bm25"]
    return index_of(corpus_of(wildcards), bm25) if isinstance(bm25, str) else []


def candidate_source(wildcards):
    """The BM25 that finds candidates for negatives or for validation, and how many."""
    training_set = CONFIG["training_sets"][wildcards.training_set]
    if wildcards.part:
        return {"bm25": training_set["validation"]["candidates"], "depth": training_set["validation"]["depth"]}
    return {"bm25": training_set["negatives"]["from"], "depth": training_set["negatives"]["depth"]}


def test_set_search(wildcards):
    """How the queries of a test set are searched."""
    own = CONFIG["test_sets"][wildcards.test_set]["drop_own_passage"]
    return stable({**CONFIG["bm25"][wildcards.bm25], "drop_own_passage": own})


def candidate_search(wildcards):
    """How candidates are searched: by a BM25 of the config, to a depth of its own."""
    source = candidate_source(wildcards)
    return stable({**CONFIG["bm25"][source["bm25"]], "depth": source["depth"], "drop_own_passage": False})


# training_data.smk


def training_set_settings(wildcards):
    """Where the triples of a training set come from."""
    training_set = CONFIG["training_sets"][wildcards.training_set]
    return stable({key: training_set[key] for key in ("dataset", "triples", "negatives")})


def finder_inputs(wildcards):
    """The index and the queries' vectors of the ranker, with the first seed, that finds a training set's negatives."""
    training_set = CONFIG["training_sets"][wildcards.training_set]
    finder = training_set["negatives"]["from"]
    ranker = f"{finder['ranker']}/seed-{TEACHER_SEED}"
    vectors = f"{RESULTS}/embeddings/training_sets/{wildcards.training_set}/{ranker}/queries.npy"
    return {"index": index_folder(training_set["corpus"], ranker, finder["index"]), "vectors": vectors}


def finder_settings(wildcards):
    """How deep a training set's queries are searched for negatives."""
    negatives = CONFIG["training_sets"][wildcards.training_set]["negatives"]
    parameters = search_parameters(CONFIG, negatives["from"]["index"])
    return {"depth": negatives["depth"], "drop_own_passage": False, "parameters": parameters}


def extracted_score_file(wildcards):
    """The score file that the triples of a training set are taken from."""
    return score_file_of(CONFIG["training_sets"][wildcards.training_set]["triples_of"])


def extraction_settings(wildcards):
    """How many triples are taken from a score file, and its checksum."""
    training_set = CONFIG["training_sets"][wildcards.training_set]
    return {"triples": training_set["triples"], "md5": md5_to_check(training_set["triples_of"])}


# rankers.smk


def training_inputs(wildcards):
    """The files that a ranker learns from, as its block in the config names them."""
    ranker = CONFIG["rankers"][wildcards.ranker]
    folder = f"{RESULTS}/training_sets/{ranker['training_set']}"
    training_set = CONFIG["training_sets"][ranker["training_set"]]
    inputs = {
        "queries": f"{folder}/queries.parquet",
        "triples": f"{folder}/triples.parquet",
        "tokens": tokens_of(training_set["corpus"], ranker["encoder"]),
    }
    if ranker["teacher"]:
        inputs["teacher_scores"] = f"{RESULTS}/teacher_scores/{ranker['teacher']}/{ranker['training_set']}.parquet"
    if ranker["clustering"]:
        inputs["clusters"] = f"{RESULTS}/query_clusters/{ranker['clustering']}.parquet"
    if ranker["in_batch"]:
        inputs["in_batch_teacher"] = weights_of(ranker["in_batch"]["teacher"], TEACHER_SEED)
    if training_set["validation"] and CONFIG["training"][ranker["training"]]["validate_every"]:
        inputs["validation_queries"] = f"{folder}/validation/queries.parquet"
        inputs["validation_qrels"] = f"{folder}/validation/qrels.txt"
        inputs["validation_run"] = f"{folder}/validation/{candidates_of(ranker)}.trec"
        inputs["passages"] = passages_of(training_set["corpus"])
    return inputs


def candidates_of(ranker):
    """The candidates that a ranker is validated on: those that another one has found, or the validation set's own."""
    if found := ranker["validation_candidates"]:
        return f"{found['ranker']}/seed-{TEACHER_SEED}/{found['index']}"
    return "candidates"


# teacher_scores.smk


def score_file_of(teacher):
    """A teacher's score file: where it lies, or where it is downloaded to."""
    scores = CONFIG["teachers"][teacher]["scores"]
    return f"{RESULTS}/score_files/{teacher}.{suffix_of(scores)}" if is_url(scores) else scores


def md5_to_check(teacher):
    """The checksum of a score file that is read where it lies; that of a download is checked on arrival."""
    scores, md5 = CONFIG["teachers"][teacher]["scores"], CONFIG["teachers"][teacher]["md5"]
    return None if is_url(scores) else md5


def download_settings(wildcards):
    """The URL of a score file and its checksum."""
    teacher = CONFIG["teachers"][wildcards.teacher]
    return {"scores": teacher["scores"], "md5": teacher["md5"]}


def joined_score_file(wildcards):
    """The score file of a teacher."""
    return score_file_of(wildcards.teacher)


def join_settings(wildcards):
    """The checksum of the score file of a teacher."""
    return {"md5": md5_to_check(wildcards.teacher)}


def teacher_model(wildcards):
    """The weights of a ranker that scores: the one with the first seed."""
    return weights_of(wildcards.ranker, TEACHER_SEED)


def shards_of_triples(wildcards):
    """Into how many shards the pairs of a training set are cut."""
    return CONFIG["training_sets"][wildcards.training_set]["shards"]


def pair_score_shards(wildcards):
    """The scores of all shards of a training set's pairs, in their order."""
    folder = f"{RESULTS}/pair_scores/{wildcards.ranker}/{wildcards.training_set}/shards"
    return [f"{folder}/{shard + 1}.bin" for shard in range(shards_of_triples(wildcards))]


def averaged_scores(wildcards):
    """The scores of the rankers that make a teacher."""
    folders = [
        f"{RESULTS}/pair_scores/{ranker}/{wildcards.training_set}"
        for ranker in CONFIG["teachers"][wildcards.teacher]["average"]
    ]
    return {
        "triples_scores": [f"{folder}/triples.parquet" for folder in folders],
        "validation_scores": [f"{folder}/validation.parquet" for folder in folders],
    }


def teacher_settings(wildcards):
    """The rankers that make a teacher."""
    return {"average": CONFIG["teachers"][wildcards.teacher]["average"]}


# query_clusters.smk


def clustering_inputs(wildcards):
    """The queries to cluster, and their vectors by the clustering's ranker with the first seed."""
    clustering = CONFIG["clusterings"][wildcards.clustering]
    query_set = f"training_sets/{clustering['training_set']}"
    ranker = f"{clustering['ranker']}/seed-{TEACHER_SEED}"
    return {
        "queries": f"{RESULTS}/{query_set}/queries.parquet",
        "triples": f"{RESULTS}/{query_set}/triples.parquet",
        "vectors": f"{RESULTS}/embeddings/{query_set}/{ranker}/queries.npy",
    }


def clustering_settings(wildcards):
    """The number of clusters."""
    return {"clusters": CONFIG["clusterings"][wildcards.clustering]["clusters"]}


# candidates.smk


def candidate_file_settings(wildcards):
    """The path or URL of a file of candidates, and its checksum."""
    return candidate_file(CONFIG, wildcards.reranking, wildcards.test_set)


def candidates_source(wildcards):
    """A file of candidates: where it lies, or where it is downloaded to."""
    file = candidate_file_settings(wildcards)["file"]
    return f"{RESULTS}/candidate_files/{wildcards.reranking}/{wildcards.test_set}" if is_url(file) else file


def import_settings(wildcards):
    """How many candidates are kept of each query, and the checksum of a file that is read where it lies."""
    block = candidate_file_settings(wildcards)
    return {**reranking_settings(wildcards), "md5": None if is_url(block["file"]) else block["md5"]}


# retrieval.smk


def shards_of_corpus(wildcards):
    """Into how many shards the passages of a corpus are cut."""
    return CONFIG["corpora"][wildcards.corpus]["shards"]


def vector_stamps(wildcards):
    """What says of each shard of a corpus that its vectors are there."""
    folder = f"{RESULTS}/embeddings/{wildcards.corpus}/{wildcards.ranker}/seed-{wildcards.seed}/shards"
    return [f"{folder}/{shard + 1}.json" for shard in range(shards_of_corpus(wildcards))]


def index_settings(wildcards):
    """What an index is built with."""
    index = CONFIG["indexes"][wildcards.index]
    return {key: index[key] for key in ("factory", "ef_construction")}


def files_of(index):
    """The index whose files are searched."""
    return CONFIG["indexes"][index]["of"] or index


def index_folder(corpus, ranker, index):
    """The folder of an index, which may be another one's; `ranker` is a name and a seed."""
    return f"{RESULTS}/indexes/{corpus}/{ranker}/{files_of(index)}"


def searched_index(wildcards):
    """The index of the passages that a test set, or a validation set, searches."""
    return index_folder(corpus_of(wildcards), f"{wildcards.ranker}/seed-{wildcards.seed}", wildcards.index)


def retrieval_settings(wildcards):
    """How a test set is searched, and how deep."""
    return {
        "depth": CONFIG["retrieval"]["depth"],
        "drop_own_passage": CONFIG["test_sets"][wildcards.test_set]["drop_own_passage"],
        "parameters": search_parameters(CONFIG, wildcards.index),
    }


def validation_retrieval(wildcards):
    """How validation queries are searched, and how deep."""
    depth = CONFIG["training_sets"][wildcards.training_set]["validation"]["depth"]
    return {"depth": depth, "parameters": search_parameters(CONFIG, wildcards.index)}


def reranking_settings(wildcards):
    """How many candidates of each query are re-ranked."""
    return {"depth": rerankings_of(CONFIG)[wildcards.reranking]["depth"]}


def candidates_run(wildcards):
    """The run whose first passages are re-ranked."""
    way, test_set = wildcards.reranking, wildcards.test_set
    if candidate_file(CONFIG, way, test_set):
        return f"{RESULTS}/candidates/{way}/{test_set}.trec"
    return f"{RESULTS}/runs/{test_set}/{rerankings_of(CONFIG)[way]['candidates']}.trec"


def members_runs(wildcards):
    """The re-ranked runs of the rankers that make a teacher, with the first seed."""
    rankers, way = CONFIG["teachers"][wildcards.teacher]["average"], wildcards.reranking
    return [f"{RESULTS}/runs/{wildcards.test_set}/{ranker}/seed-{TEACHER_SEED}/{way}.trec" for ranker in rankers]


# evaluation.smk


def audits(wildcards):
    """The audits of what a ranker learns from, directly or through its teachers: no number without them.

    They are no inputs of the training, because another way to audit should retrain nothing.
    """
    sets = training_sets_behind(CONFIG, wildcards.system)
    return [f"{RESULTS}/training_sets/{name}/audit.csv" for name in sets]


def measure_settings(wildcards):
    """What is measured on a test set."""
    return {
        "measures": CONFIG["measures"],
        "min_relevance": CONFIG["test_sets"][wildcards.test_set]["min_relevance"],
    }


def all_cores(wildcards):
    """Every core, so that no other job disturbs the clock; as many as other rules take where a cluster gives them.

    Taken, not used: how many threads compute is a setting.
    """
    return workflow.resource_settings.cores or 8


def efficiency_settings(wildcards):
    """How many passages are scored for how many queries, in how many threads."""
    return {key: CONFIG["efficiency"][key] for key in ("passages", "queries", "threads")}


def build_costs_settings(wildcards):
    """What an index is built with, and in how many threads."""
    return {**index_settings(wildcards), "threads": CONFIG["efficiency"]["threads"]}


def search_costs_settings(wildcards):
    """How many queries are searched for one by one, as for a run, in how many threads."""
    queries, threads = CONFIG["efficiency"]["searches"], CONFIG["efficiency"]["threads"]
    return {**retrieval_settings(wildcards), "queries": queries, "threads": threads}


# reports.smk


def what_is_there(paths):
    """The files that a table, a figure or the report is made from.

    All of them, and Snakemake makes those that are missing; only those that are there where nothing but tables, figures
    or the report is asked for: it shall show what has run, and start nothing that takes days.
    """
    targets = set(workflow.dag_settings.targets)
    if targets and targets <= {"tables", "figures", "report"}:
        return [path for path in paths if Path(path).exists()]
    return paths


def those_there(files):
    """An input function: of the lists of files that another one names, what is there."""

    def inputs(wildcards):
        return {name: what_is_there(paths) for name, paths in files(wildcards).items()}

    return inputs


def table_block(table, test_sets):
    """A table's block, the seeds of its rankers, and the places of its rows whose encoder knows the collection."""
    marks = {
        "seeds": seeds_of(CONFIG, rankers_of(table)),
        "seen": rows_that_saw(CONFIG, test_sets, table["rows"]),
        "seen_apart": cells_that_saw(CONFIG, test_sets, table["rows"]),
        "sampled": sampled_test_sets(CONFIG, test_sets),
    }
    return stable({**table, **marks})


def table_settings(wildcards):
    """What a table is made from, beside the metrics."""
    table = CONFIG["tables"][wildcards.table]
    return table_block(table, table["test_sets"])


def length_table_settings(wildcards):
    """What a length table is made from, beside the metrics."""
    table = CONFIG["length_tables"][wildcards.length_table]
    return table_block(table, [table["test_set"]])


def table_files(wildcards):
    """The metrics of all systems that a table names, on all its test sets."""
    table = CONFIG["tables"][wildcards.table]
    named = systems({**CONFIG, "tables": {wildcards.table: table}, "length_tables": {}})
    return {"metrics": [metrics_file(test_set, system) for test_set in table["test_sets"] for system in named]}


def length_table_files(wildcards):
    """The metrics of all systems that a length table names, and what says how long the relevant passages are."""
    table = CONFIG["length_tables"][wildcards.length_table]
    named, test_set = (
        systems({**CONFIG, "tables": {}, "length_tables": {wildcards.length_table: table}}),
        table["test_set"],
    )
    return {
        "metrics": [metrics_file(test_set, system) for system in named],
        "qrels": [f"{RESULTS}/test_sets/{test_set}/qrels.txt"],
        "passages": [passages_of(CONFIG["test_sets"][test_set]["corpus"])],
    }


def metrics_file(test_set, system):
    """What is measured of a system."""
    return f"{RESULTS}/metrics/{test_set}/{system}.json"


def efficiency_table_settings(wildcards):
    """An efficiency table's block."""
    return stable(CONFIG["efficiency_tables"][wildcards.efficiency_table])


def efficiency_table_files(wildcards):
    """What the rankers of an efficiency table cost, with the first seed, and the indexes that its rows name."""
    table = CONFIG["efficiency_tables"][wildcards.efficiency_table]
    test_set, corpus = table["test_set"], CONFIG["test_sets"][table["test_set"]]["corpus"]
    measured = [(f"{row['ranker']}/seed-{TEACHER_SEED}", row["index"]) for row in table["rows"]]
    return {
        "efficiency": [f"{RESULTS}/efficiency/{test_set}/{ranker}/rerank.json" for ranker, _ in measured],
        "indexes": [index_folder(corpus, ranker, index) for ranker, index in measured if index],
    }


def search_table_settings(wildcards):
    """A search table's block, and whether the encoder knows the collection."""
    table = CONFIG["search_tables"][wildcards.search_table]
    test_sets = [table["test_set"]]
    seen = bool(rows_that_saw(CONFIG, test_sets, [{"ranker": table["ranker"]}]))
    return stable({**table, "seen": seen, "sampled": sampled_test_sets(CONFIG, test_sets)})


def search_table_files(wildcards):
    """What the indexes of a search table find and cost, of its ranker with the first seed."""
    table = CONFIG["search_tables"][wildcards.search_table]
    test_set, ranker = table["test_set"], f"{table['ranker']}/seed-{TEACHER_SEED}"
    corpus, indexes = CONFIG["test_sets"][test_set]["corpus"], [row["index"] for row in table["rows"]]
    builds = f"{RESULTS}/efficiency/indexes/{corpus}/{ranker}"
    return {
        "metrics": [f"{RESULTS}/metrics/{test_set}/{ranker}/{index}.json" for index in indexes],
        "runs": [f"{RESULTS}/runs/{test_set}/{ranker}/{index}.trec" for index in indexes],
        "reference": [f"{RESULTS}/runs/{test_set}/{ranker}/{table['reference']}.trec"],
        "searches": [f"{RESULTS}/efficiency/{test_set}/{ranker}/{index}.json" for index in indexes],
        "builds": [f"{builds}/{files_of(index)}.json" for index in indexes],
        "indexes": [index_folder(corpus, ranker, index) for index in indexes],
    }


# reproduction.smk


def systems_with_seeds(system):
    """What a row or a rung is called in the paths, once for each seed."""
    return systems_of(system, SEEDS)


def reproduction_settings(wildcards):
    """The published numbers, the systems that they are compared with, and what is not measured here."""
    rows, (compared, left_out) = CONFIG["published"]["rows"], lines_of(CONFIG)
    lines = [
        {
            "label": rows[line.place]["label"],
            "systems": systems_with_seeds(rows[line.place]),
            "test_set": line.test_set,
            "sampled": bool(sampled_test_sets(CONFIG, [line.test_set])),
            "cell": as_settings(line.cell),
        }
        for line in compared
    ]
    others = [
        {"label": rows[line.place]["label"], "test_set": line.test_set, "measure": line.cell.measure}
        for line in left_out
    ]
    return stable({"title": CONFIG["published"]["title"], "lines": lines, "left_out": others})


def reproduction_files(wildcards):
    """The metrics of the systems that are published, where they are."""
    lines = reproduction_settings(wildcards)["lines"]
    named = {(line["test_set"], system): None for line in lines for system in line["systems"]}
    return {"metrics": [metrics_file(test_set, system) for test_set, system in named]}


@cache
def settings_of_paper_table(wildcards):
    """What a published table is made from, beside the metrics."""
    return paper_table_settings(CONFIG, wildcards.paper_table)


def paper_table_files(wildcards):
    """The metrics of the systems that stand in the rows of a published table, and comparisons with its own runs."""
    name, rows = wildcards.paper_table, settings_of_paper_table(wildcards)["rows"]
    keys = [(test_set, system) for row in rows for test_set in row["test_sets"] for system in row["systems"]]
    folder = f"{RESULTS}/comparisons/{name}"
    return {
        "metrics": [metrics_file(*key) for key in dict.fromkeys(keys)],
        "comparisons": [f"{folder}/{row}/{test_set}.json" for row, test_set in compared_rows(CONFIG, name)],
    }


@cache
def comparison_of(wildcards):
    """The systems of a comparison and the margins of its measures."""
    return comparison_settings(CONFIG, wildcards.paper_table, wildcards.row, wildcards.test_set)


def comparison_files(wildcards):
    """Our runs and the publication's, what is measured of them, and of both baselines."""
    settings, test_set = comparison_of(wildcards), wildcards.test_set
    baseline, reference_baseline = settings["baselines"] or ([], [])
    return {
        "runs": [f"{RESULTS}/runs/{test_set}/{system}.trec" for system in settings["ours"]],
        "metrics": [metrics_file(test_set, system) for system in settings["ours"]],
        "reference_run": f"{RESULTS}/runs/{test_set}/{settings['reference']}.trec",
        "reference_metrics": metrics_file(test_set, settings["reference"]),
        "baseline_metrics": [metrics_file(test_set, system) for system in baseline],
        "reference_baseline_metrics": [metrics_file(test_set, system) for system in reference_baseline],
    }


def comparison_margins(wildcards):
    """Within which margin a measure of two runs is equivalent."""
    return {"margins": comparison_of(wildcards)["margins"]}


def reproduction_tables(wildcards):
    """The table of published numbers."""
    if not CONFIG["published"]["rows"]:
        raise WorkflowError("published.rows: missing; name the systems whose published numbers are compared.")
    return [f"{RESULTS}/tables/{REPRODUCTION}.{suffix}" for suffix in TABLE_FORMATS]


def ladder_settings(wildcards):
    """The rungs of a ladder and the number that it leads to."""
    ladder = CONFIG["ladders"][wildcards.ladder]
    each = rungs(CONFIG, wildcards.ladder)
    return stable(
        {
            "title": f"{ladder['ranker']}, {ladder['way']}",
            "test_set": ladder["test_set"],
            "sampled": bool(sampled_test_sets(CONFIG, [ladder["test_set"]])),
            "cell": as_settings(explained_cell(CONFIG, wildcards.ladder)),
            "rungs": [{"stage": rung["stage"], "systems": systems_with_seeds(rung)} for rung in each],
        }
    )


def ladder_metrics(wildcards):
    """The metrics of the rungs of a ladder."""
    settings = ladder_settings(wildcards)
    named = [system for rung in settings["rungs"] for system in rung["systems"]]
    return [metrics_file(settings["test_set"], system) for system in named]


def ladder_files(wildcards):
    """All ladders."""
    if not CONFIG["ladders"]:
        raise WorkflowError("ladders: missing; name the cells whose difference to a published number is explained.")
    return [f"{RESULTS}/ladders/{ladder}.{suffix}" for ladder in CONFIG["ladders"] for suffix in LADDER_FORMATS]


# figures.smk


def search_figure_settings(wildcards):
    """What the figure of a search table says."""
    table = CONFIG["search_tables"][wildcards.search_table]
    return {key: table[key] for key in ("title", "recall_at")}


def cost_figure_settings(wildcards):
    """The rankers that the figure of an efficiency table shows."""
    return stable(cost_settings(CONFIG, wildcards.efficiency_table))


def cost_figure_inputs(wildcards):
    """What the rankers of an efficiency table cost, and how good they, and others like them, are."""
    settings = cost_settings(CONFIG, wildcards.efficiency_table)
    test_set = CONFIG["efficiency_tables"][wildcards.efficiency_table]["test_set"]
    timed = dict.fromkeys(point["timed"] for point in settings["points"])
    systems = [system for point in settings["points"] for system in point["systems"]]
    systems += [settings["baseline"]["system"]] if settings["baseline"] else []
    named = dict.fromkeys((name, system) for system in systems for name in settings["test_sets"])
    return {
        "efficiency": what_is_there([f"{RESULTS}/efficiency/{test_set}/{system}.json" for system in timed]),
        "metrics": what_is_there([f"{RESULTS}/metrics/{name}/{system}.json" for name, system in named]),
    }


def score_figure_settings(wildcards):
    """The runs that the figure of a teacher shows."""
    settings = score_settings(CONFIG, wildcards.teacher)
    runs = [{**row, "run": f"{RESULTS}/runs/{settings['test_set']}/{row['system']}.trec"} for row in settings["rows"]]
    return stable({**settings, "rows": runs})


def score_figure_inputs(wildcards):
    """A teacher's scores, and the runs of its rankers and its students."""
    settings = score_figure_settings(wildcards)
    return {
        "scores": f"{RESULTS}/teacher_scores/{wildcards.teacher}/{settings['training_set']}.parquet",
        "qrels": f"{RESULTS}/test_sets/{settings['test_set']}/qrels.txt",
        "runs": what_is_there([row["run"] for row in settings["rows"]]),
    }


def training_figure_settings(wildcards):
    """The curves of each ranker that is trained."""
    curves = {
        name: [f"{RESULTS}/rankers/{name}/seed-{seed}/training.jsonl" for seed in seeds]
        for name, seeds in trained_behind(CONFIG).items()
    }
    return {"rankers": [{"name": name, "curves": paths} for name, paths in sorted(curves.items())]}


def training_figure_inputs(wildcards):
    """The curves of all trainings."""
    rankers = training_figure_settings(wildcards)["rankers"]
    return {"curves": what_is_there([path for ranker in rankers for path in ranker["curves"]])}


def gain_figure_settings(wildcards):
    """What is compared with BM25."""
    return stable(gain_settings(CONFIG, wildcards.table, wildcards.test_set))


def gain_figure_inputs(wildcards):
    """The metrics of a table's BM25 and of the systems that are compared with it."""
    settings = gain_settings(CONFIG, wildcards.table, wildcards.test_set)
    folder = f"{RESULTS}/metrics/{wildcards.test_set}"
    systems = dict.fromkeys(system for row in settings["rows"] for system in row["systems"])
    return {
        "baseline": f"{folder}/{settings['baseline']['system']}.json",
        "metrics": what_is_there([f"{folder}/{system}.json" for system in systems]),
    }


def batch_draw_settings(wildcards):
    """How the batches are made that are drawn to be looked at."""
    return batch_settings(CONFIG, wildcards.teacher, wildcards.clustering)


def batch_inputs(wildcards):
    """What samplers draw from."""
    training_set = batch_draw_settings(wildcards)["training_set"]
    return {
        "triples": f"{RESULTS}/training_sets/{training_set}/triples.parquet",
        "teacher_scores": f"{RESULTS}/teacher_scores/{wildcards.teacher}/{training_set}.parquet",
        "clusters": f"{RESULTS}/query_clusters/{wildcards.clustering}.parquet",
    }


def cluster_figure_settings(wildcards):
    """The number of clusters, and the sizes of the batches that are drawn from them."""
    name = wildcards.clustering
    clusters = CONFIG["clusterings"][name]["clusters"]
    return {"name": name, "clusters": clusters, "batch_sizes": cluster_figures(CONFIG)[name]}


def cluster_figure_inputs(wildcards):
    """The clusters whose sizes are drawn."""
    return {"clusters": f"{RESULTS}/query_clusters/{wildcards.clustering}.parquet"}


def config_files(wildcards):
    """The files that the config was read from."""
    return [os.path.relpath(file) for file in workflow.configfiles]


def graph_settings(wildcards):
    """What the graph of the rules depends on: those that there are, and what the config asks for."""
    return {"rules": sorted(rule.name for rule in workflow.rules), **what_runs(CONFIG)}


def figures_of_config():
    """(name, wildcards, lookup of what it is made from) of every figure that the config has something for."""
    for search_table in CONFIG["search_tables"]:
        yield "{search_table}", {"search_table": search_table}, search_table_files
    for efficiency_table in cost_figures(CONFIG):
        yield "{efficiency_table}", {"efficiency_table": efficiency_table}, cost_figure_inputs
    for table, test_set in gain_figures(CONFIG):
        yield "gains-{table}-{test_set}", {"table": table, "test_set": test_set}, gain_figure_inputs
    if trained_behind(CONFIG):
        yield "training-curves", {}, training_figure_inputs
    for teacher in score_figures(CONFIG):
        yield "scores-{teacher}", {"teacher": teacher}, score_figure_inputs
    for teacher, clustering in margin_figures(CONFIG):
        yield "margins-{teacher}-{clustering}", {"teacher": teacher, "clustering": clustering}, batch_inputs
    for clustering in cluster_figures(CONFIG):
        yield "clusters-{clustering}", {"clustering": clustering}, cluster_figure_inputs


def has_something(inputs):
    """Whether a figure can be drawn: of the files that it is made from every one that is named is there."""
    each = [[files] if isinstance(files, str) else files for files in inputs.values()]
    return all(files and what_is_there(files) == files for files in each)


def figure_files(wildcards):
    """Every figure; where nothing but figures is asked for, those of what has run, and one sentence names the others."""
    there = {
        name.format(**values): has_something(lookup(Wildcards(fromdict=values)))
        for name, values, lookup in figures_of_config()
    }
    if missing := [name for name, has_run in there.items() if not has_run]:
        logger.warning(f"Not drawn, because what they show has not run yet: {', '.join(missing)}.")
    names = [*(name for name, has_run in there.items() if has_run), "rule-graph"]
    return [f"{RESULTS}/figures/{name}.{suffix}" for name in names for suffix in FIGURE_FORMATS]


# report.smk


def report_tables(wildcards):
    """The pages of all tables: they cost nothing, and say what of them has not run."""
    return [path for path in rules.tables.input if path.endswith(".html")]


def report_figures(wildcards):
    """All figures, or those of what has run."""
    return [path for path in figure_files(wildcards) if path.endswith(".svg")]


def report_runs(wildcards):
    """What the query explorer is made from: the runs of each test set and how good they are, and its texts."""
    shown = {}
    for system, block in explored_systems(CONFIG).items():
        for test_set in block["test_sets"]:
            shown.setdefault(test_set, []).append(system)
    inputs = {"metrics": [], "runs": [], "queries": [], "qrels": [], "passages": []}
    for test_set, named in shown.items():
        folder, passages = f"{RESULTS}/test_sets/{test_set}", passages_of(CONFIG["test_sets"][test_set]["corpus"])
        texts = {"queries": f"{folder}/queries.parquet", "qrels": f"{folder}/qrels.txt", "passages": passages}
        pairs = [(f"{RESULTS}/metrics/{test_set}/{one}.json", f"{RESULTS}/runs/{test_set}/{one}.trec") for one in named]
        there = set(what_is_there([*texts.values(), *(path for pair in pairs for path in pair)]))
        pairs = [pair for pair in pairs if there.issuperset(pair)]
        if pairs and there.issuperset(texts.values()):
            inputs["metrics"] += [metrics for metrics, _ in pairs]
            inputs["runs"] += [run for _, run in pairs]
            for name, path in texts.items():
                inputs[name].append(path)
    return inputs


def report_settings(wildcards):
    """What the report is called, how much of the queries it shows, and what their systems are called."""
    shown = {key: CONFIG["report"][key] for key in ("megabytes", "passages")}
    labels = {system: block["label"] for system, block in explored_systems(CONFIG).items()}
    return stable({**shown, "experiment": CONFIG["experiment"], "systems": labels})


def report_steps(wildcards, input):
    """All jobs but the report's own, as it tells them: what made what of what, how, and where its costs stand.

    Snakemake neither records nor compares a parameter that is made of inputs, and no other one says all this again.
    """
    jobs = [job for job in workflow.dag.jobs if job.output and job.rule.name != "make_report"]
    return [step_of(job) for job in jobs]


def step_of(job):
    """One job, in plain values."""
    others = {name: value for name, value in job.params.items() if name not in ("settings", "code")}
    return {
        "rule": job.rule.name,
        "outputs": [str(path) for path in job.output],
        "inputs": [str(path) for path in job.input],
        "named": {name: str(paths) for name, paths in job.input.items() if isinstance(paths, str)},
        "settings": stable({**others, **job.params.get("settings", {})}),
        "code": job.params.get("code"),
        "benchmark": str(job.benchmark) if job.benchmark else None,
        "log": str(job.log[0]) if job.log else None,
    }

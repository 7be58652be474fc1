"""
Figures. Each is there where the config has what it shows, and asks for nothing that the tables do not need as well.

Needs: what the tables are made from, search tables, teacher scores, query clusters, training.jsonl of the rankers.
Makes, under results/<experiment>/; each as .svg, with a title and a description inside, and as .png:

    figures/<search_table>                    recall against queries per second
    figures/<efficiency_table>                effectiveness against latency, per architecture
    figures/scores-<teacher>                  the scores of a teacher and of its students
    figures/training-curves                   loss and validation of all trainings
    figures/gains-<table>-<test_set>          gains and losses against BM25, query by query
    figures/margins-<teacher>-<clustering>    the teacher's margins in random and balanced batches
    figures/clusters-<clustering>             cluster sizes
    figures/rule-graph                        the rules of the workflow
    batches/<teacher>-<clustering>.parquet    sampler, batch, margin: batches as a training draws them
"""

FIGURE_FORMATS = ["svg", "png"]


rule plot_search:
    """Draw the recall of a search table over its speed."""
    input:
        csv=rules.make_search_table.output.csv,
    output:
        svg=report(
            f"{RESULTS}/figures/{{search_table}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/{{search_table}}.png",
    log:
        f"{RESULTS}/logs/figures/{{search_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=search_figure_settings,
        code=code_of("plot_search"),
    script:
        "../scripts/plot_search.py"


rule plot_costs:
    """Draw how good rankers are over what they cost."""
    input:
        unpack(cost_figure_inputs),
    output:
        svg=report(
            f"{RESULTS}/figures/{{efficiency_table}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/{{efficiency_table}}.png",
    log:
        f"{RESULTS}/logs/figures/{{efficiency_table}}.log",
    wildcard_constraints:
        efficiency_table=any_of(cost_figures(CONFIG)),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=cost_figure_settings,
        code=code_of("plot_costs"),
    script:
        "../scripts/plot_costs.py"


rule plot_scores:
    """Draw the scores of a teacher and of its students, relevant passages and others apart."""
    input:
        unpack(score_figure_inputs),
    output:
        svg=report(
            f"{RESULTS}/figures/scores-{{teacher}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/scores-{{teacher}}.png",
    log:
        f"{RESULTS}/logs/figures/scores-{{teacher}}.log",
    wildcard_constraints:
        teacher=any_of(score_figures(CONFIG)),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(4),
        runtime=hours(1),
    params:
        settings=score_figure_settings,
        code=code_of("plot_scores"),
    script:
        "../scripts/plot_scores.py"


rule plot_training:
    """Draw the loss and the validation of all trainings over their steps."""
    input:
        unpack(training_figure_inputs),
    output:
        svg=report(
            f"{RESULTS}/figures/training-curves.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/training-curves.png",
    log:
        f"{RESULTS}/logs/figures/training-curves.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=training_figure_settings,
        code=code_of("plot_training"),
    script:
        "../scripts/plot_training.py"


rule plot_gains:
    """Draw what each query gains or loses against BM25."""
    input:
        unpack(gain_figure_inputs),
    output:
        svg=report(
            f"{RESULTS}/figures/gains-{{table}}-{{test_set}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/gains-{{table}}-{{test_set}}.png",
    log:
        f"{RESULTS}/logs/figures/gains-{{table}}-{{test_set}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=gain_figure_settings,
        code=code_of("plot_gains"),
    script:
        "../scripts/plot_gains.py"


rule draw_batches:
    """Draw batches with every sampler, without a training, and keep the teacher's margins of their triples."""
    input:
        unpack(batch_inputs),
    output:
        batches=f"{RESULTS}/batches/{{teacher}}-{{clustering}}.parquet",
    log:
        f"{RESULTS}/logs/batches/{{teacher}}-{{clustering}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(6, per_million=1),
        runtime=hours(1),
    params:
        settings=batch_draw_settings,
        seed=TEACHER_SEED,
        code=code_of("draw_batches"),
    script:
        "../scripts/draw_batches.py"


rule plot_margins:
    """Draw the margins of random and balanced batches."""
    input:
        batches=rules.draw_batches.output.batches,
    output:
        svg=report(
            f"{RESULTS}/figures/margins-{{teacher}}-{{clustering}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/margins-{{teacher}}-{{clustering}}.png",
    log:
        f"{RESULTS}/logs/figures/margins-{{teacher}}-{{clustering}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        code=code_of("plot_margins"),
    script:
        "../scripts/plot_margins.py"


rule plot_clusters:
    """Draw the sizes of the clusters of a clustering."""
    input:
        unpack(cluster_figure_inputs),
    output:
        svg=report(
            f"{RESULTS}/figures/clusters-{{clustering}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/clusters-{{clustering}}.png",
    log:
        f"{RESULTS}/logs/figures/clusters-{{clustering}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=cluster_figure_settings,
        code=code_of("plot_clusters"),
    script:
        "../scripts/plot_clusters.py"


rule plot_rules:
    """Draw the rules that make everything, by Snakemake's own graph."""
    input:
        # ancient: not every edit of the config changes the graph
        configs=ancient(config_files),
    output:
        svg=report(
            f"{RESULTS}/figures/rule-graph.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        png=f"{RESULTS}/figures/rule-graph.png",
    log:
        f"{RESULTS}/logs/figures/rule-graph.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        target="all",
        settings=graph_settings,
        code=code_of("plot_rules"),
    script:
        "../scripts/plot_rules.py"


rule figures:
    """Every figure of the experiment; where nothing but figures is asked for, those of what has run."""
    input:
        figure_files,


localrules:
    figures,
    plot_search,
    plot_costs,
    plot_scores,
    plot_training,
    plot_gains,
    plot_margins,
    plot_clusters,
    plot_rules,

"""Draw the rules of the default experiment, or of config files that are named, for the pages: docs/rule-graph.svg."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from stillroom.figures.rules import plot_rules  # noqa: E402

if __name__ == "__main__":
    picture = ROOT / "docs/rule-graph"
    configs = sys.argv[1:] or [str(ROOT / "config.yaml")]
    plot_rules(config_paths=configs, target="all", svg_path=f"{picture}.svg", png_path=f"{picture}.png")

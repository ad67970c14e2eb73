#!/usr/bin/env python3
"""How long the report page takes to open, and to answer a click, in headless Chromium.

  page_clicks.py build/report.html

Clicks everything that is drawn or written to be clicked, one after the other. A click's time ends when the browser
has laid out what it changed. Prints the time from the page's first byte to its last script, the number of clicks,
their median and the slowest with what was clicked. Nothing is asserted.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

SCRIPT = """
<script>
addEventListener("load", () => {
  const opened = performance.now();
  const all = [...document.querySelectorAll("button, summary, [tabindex], [data-actor], [data-channel]")];
  const clicks = all.map((node) => {
    const before = performance.now();
    node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    document.body.getBoundingClientRect();
    const name = node.getAttribute("aria-label") || node.textContent.trim() || node.id || node.tagName;
    return [performance.now() - before, name.slice(0, 60)];
  });
  document.title = JSON.stringify({ opened, clicks });
});
</script></body>"""

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1200,900", "--dump-dom",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    page = parser.parse_args().page.read_text()
    with tempfile.TemporaryDirectory() as folder:
        opened = pathlib.Path(folder, "opened.html")
        opened.write_text(page.replace("</body>", SCRIPT))
        command = ["chromium", *FLAGS, f"--user-data-dir={folder}/profile", opened.as_uri()]
        dom = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    title = dom.split("<title>")[1].split("</title>")[0]
    measured = json.loads(title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    clicks = sorted(measured["clicks"])
    slowest, name = clicks[-1]
    print(f"{len(page) / 1e6:.2f} MB, open after {measured['opened']:.0f} ms")
    print(f"{len(clicks)} clicks, median {clicks[len(clicks) // 2][0]:.1f} ms, slowest {slowest:.1f} ms: {name}")


main()

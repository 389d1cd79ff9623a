package console

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

//go:embed nodes.js
var nodesScript string

// TestConsoleShowsTheNodesOfReplicatedShards checks that the console draws the nodes of replicated shards with their
// roles, names the nodes that are not in sync, and shows failovers. The shards of the test have no nodes, so the test
// adds nodes to the overviews.
func TestConsoleShowsTheNodesOfReplicatedShards(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "All services are healthy.")
	if drawn := b.text(".picture .copies"); drawn != "" {
		t.Errorf("a single shard has the nodes %q, want none", drawn)
	}
	value[bool](b, nodesScript)
	b.shows(".picture .node.shard", "shard 0\nhealthy\n0 primary\n1 replica\n2 replica")
	b.shows("#state", "All services are healthy.")
	b.shows("#events", "Shard 0 of stock failed over after 1.6 s from node 0 to node 2, epoch 2")
	b.shows("#events", "Shard 0 of stock lacks copies node 0 is unreachable")
	b.shows("#events", "Shard 0 of stock has all copies again after 1.5 min")

	value[bool](b, `!!(window.roles = ["unreachable", "syncing", "primary"])`)
	b.shows(".picture .node.shard", "0 unreachable\n1 syncing\n2 primary")
	b.shows("#state", "node 0 of shard 0 of order is unreachable, node 1 of shard 0 of order is syncing")
	b.do(chromedp.Click(css("#topology summary")))
	b.shows("#instances", "shard 0 healthy (node 0 unreachable, node 1 syncing, 1200 batches behind, node 2 primary)")
	if label := value[string](b, `document.querySelector(".picture").getAttribute("aria-label")`); !strings.Contains(label,
		"stock shard 0 healthy (node 0 unreachable, node 1 syncing") {
		t.Errorf("the drawing has the label %q, want the nodes and their roles in the label", label)
	}
	value[bool](b, `!!(window.roles = ["frozen", "outdated", "primary"])`)
	b.shows(".picture .node.shard", "0 frozen\n1 outdated\n2 primary")
	symbols := value[[]string](b, `[...document.querySelector(".copies").children]
		.map((e) => getComputedStyle(e, "::before").content)`)
	if len(symbols) != 3 || symbols[0] == symbols[1] || symbols[1] == symbols[2] || symbols[0] == symbols[2] {
		t.Errorf("got the symbols %q, want three different ones, because a colour alone is not enough", symbols)
	}
	for _, width := range []int{1100, phoneWidth} {
		for _, dark := range []bool{false, true} {
			b.do(chromedp.EmulateViewport(int64(width), 900))
			b.setDark(dark)
			b.checkWidth(width)
			b.checkFits()
			b.checkAccessibility()
			b.picture(fmt.Sprintf("console-nodes-%d-%v", width, dark))
		}
	}
	b.report(`[...document.querySelectorAll("#instances td:last-child")].filter((e) => e.clientWidth < 130)
		.map((e) => "the column of the shards has only " + e.clientWidth + " px")`)
	b.report(`[...document.querySelectorAll(".copy")].filter((e) => e.scrollWidth > e.clientWidth ||
		e.getBoundingClientRect().bottom > e.closest(".node").getBoundingClientRect().bottom)
		.map((e) => "does not fit its shard: " + e.innerText)`)
	b.checkProblems()
}

package failover

import (
	"fmt"
	"strings"
)

// events describe each event. NODE, OTHER and ARG stand for the arguments of the step.
var events = [...]string{
	execute:          "node NODE executes a batch",
	readBatch:        "node NODE executes the reads of a batch",
	stream:           "node NODE receives an entry from node OTHER",
	fullCopy:         "node NODE receives a full copy from node OTHER",
	dropData:         "node NODE drops its data and waits for a full copy from node OTHER",
	interrupt:        "node NODE begins a full copy from node OTHER, which is interrupted",
	rewrite:          "node NODE has its full copy on disk",
	acknowledge:      "node NODE returns the replies of the batches that node OTHER has",
	initialize:       "keeper init on node NODE",
	initializeAgain:  "keeper init on node NODE again",
	initializeByFlag: "node NODE is empty, so its flag makes it the primary of epoch 1",
	stand:            "node NODE promises epoch ARG, freezes and asks for votes",
	notePosition:     "node NODE reads its position",
	vote:             "node NODE promises the epoch of node OTHER, freezes and votes for node OTHER",
	unlock:           "node NODE accepts batches, before it writes its epoch",
	promote:          "node NODE becomes the primary and writes its epoch",
	agree:            "node NODE asks, and node OTHER acknowledges the primary of epoch ARG",
	follow:           "node NODE follows node OTHER, the primary of term ARG",
	freeze:           "node NODE freezes",
	refuse:           "node NODE promises epoch ARG, freezes and refuses its vote",
	restart:          "node NODE restarts with what is on disk",
	lose:             "node NODE loses its disk",
	die:              "node NODE is lost for good",
}

func (e step) String() string {
	node, other, arg := fmt.Sprint(e.node+1), fmt.Sprint(e.other+1), fmt.Sprint(e.arg)
	return strings.NewReplacer("NODE", node, "OTHER", other, "ARG", arg).Replace(events[e.event])
}

// name formats a log: <epoch>:<batches> for each term, as in "1:2 3:1".
func (s *state) name(t tip) string {
	if t == empty {
		return "empty"
	}
	var parts []string
	for ; t != empty; t = s.terms[t.term()].parent {
		parts = append([]string{fmt.Sprintf("%d:%d", s.epoch(t), t.batches())}, parts...)
	}
	return strings.Join(parts, " ")
}

// describe formats a state as one line.
func (s *state) describe() string {
	var parts []string
	for i := range s.nodes {
		parts = append(parts, fmt.Sprintf("node %d: %s", i+1, s.describeNode(i)))
	}
	return strings.Join(parts, "; ") + "; acknowledged: " + s.name(s.acked)
}

func (s *state) describeNode(i int) string {
	n := &s.nodes[i]
	var text string
	switch {
	case n.dead:
		return "lost for good"
	case s.isPrimary(i):
		text = "primary"
	case n.follows == 0:
		text = "frozen"
	default:
		text = fmt.Sprintf("follows node %d", n.follows)
	}
	text += [...]string{"", ", candidate", ", elected"}[n.candidacy]
	text += fmt.Sprintf(", promise %d, log %s", n.promise, s.name(n.mem))
	if n.disk != n.mem {
		text += ", on disk " + s.name(n.disk)
	}
	return text
}

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// noAnswer is counted like a status for requests that got none.
const noAnswer = 0

// tally counts answers.
type tally struct {
	took     []time.Duration // of every request that was answered
	statuses map[int]int
	samples  map[int]string // the first answer with each status but 200
}

func newTally(expected int) *tally {
	return &tally{took: make([]time.Duration, 0, expected), statuses: map[int]int{}, samples: map[int]string{}}
}

func (t *tally) add(a answer) {
	status, said := a.status, a.body
	if a.err != nil {
		status, said = noAnswer, []byte(a.err.Error())
	} else {
		t.took = append(t.took, a.took)
	}
	t.statuses[status]++
	if _, known := t.samples[status]; status != 200 && !known {
		t.samples[status] = strings.TrimSpace(string(said[:min(len(said), 500)]))
	}
}

// count is the number of requests.
func (t *tally) count() int {
	n := 0
	for _, of := range t.statuses {
		n += of
	}
	return n
}

func (t *tally) allOK() bool { return t.statuses[200] == t.count() }

// String lists statuses: "200: 19998, 503: 1, no answer: 1".
func (t *tally) String() string {
	var parts []string
	for status, n := range t.statuses {
		parts = append(parts, fmt.Sprintf("%s: %d", statusName(status), n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func statusName(status int) string {
	if status == noAnswer {
		return "no answer"
	}
	return fmt.Sprint(status)
}

// merge adds the answers of another tally.
func (t *tally) merge(other *tally) {
	t.took = append(t.took, other.took...)
	for status, n := range other.statuses {
		t.statuses[status] += n
	}
	for status, sample := range other.samples {
		if _, known := t.samples[status]; !known {
			t.samples[status] = sample
		}
	}
}

// percentile is the nearest-rank percentile of sorted durations: the smallest of which at least p percent are no larger.
// It is 0 if there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted)) / 100))
	return sorted[max(rank, 1)-1]
}

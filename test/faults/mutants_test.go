package main

import "testing"

// TestEveryMistakeFitsTheSource: whoever changes the product is told at once which mistake can no longer be made in this way.
func TestEveryMistakeFitsTheSource(t *testing.T) {
	product, err := productInShort()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		if _, err := product.edited(m.edits); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if len(m.edits)+len(m.redisArgs) == 0 || m.want == "" {
			t.Errorf("%s is no mistake, or nothing is said of it", m.name)
		}
	}
}

// TestEveryStepIsCrossed: the points of the matrix are told apart, and no step of the protocol is missing.
func TestEveryStepIsCrossed(t *testing.T) {
	names := map[string]bool{}
	for _, c := range crossings() {
		if names[c.name] {
			t.Errorf("%s is there twice", c.name)
		}
		names[c.name] = true
	}
	for _, want := range []string{"coordinator commit", "coordinator refuse", "recovery claim", "recovery confirmed", "stock release done", "payment confirm received"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if len(names) != 13+2*8+12 {
		t.Errorf("%d fail points", len(names))
	}
}

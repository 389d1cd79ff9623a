package main

import "testing"

// TestMutationsApply checks that the edits of every mutation still fit the source.
func TestMutationsApply(t *testing.T) {
	product, err := productWithShortTimes()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		if _, err := product.edited(m.edits); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if len(m.edits)+len(m.redisArgs) == 0 || m.want == "" {
			t.Errorf("%s: it changes nothing or expects no violation", m.name)
		}
	}
}

// TestMatrixHasEveryStep checks that the matrix names each step of the protocol once.
func TestMatrixHasEveryStep(t *testing.T) {
	names := map[string]bool{}
	for _, p := range matrixPoints() {
		if names[p.name] {
			t.Errorf("%s appears twice", p.name)
		}
		names[p.name] = true
	}
	for _, want := range []string{
		"coordinator commit", "coordinator refuse", "recovery claim", "recovery confirmed", "stock release done",
		"payment confirm received",
	} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if want := 13 + 2*8 + 12; len(names) != want {
		t.Errorf("the matrix has %d points, want %d", len(names), want)
	}
}

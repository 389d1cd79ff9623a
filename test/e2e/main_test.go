package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"checkout/test/stack"
)

// seed determines the random choices of a run, but not its timing.
var seed = flag.Uint64("seed", 0, "seed of random choices; 0 means a random seed")

// parallelTests is the number of tests that run at the same time. The tests mostly wait for leases and restarts, so two
// processors can run four of them. With six tests, an instance took longer than its time limit to start.
const parallelTests = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepareRun(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepareRun() error {
	parallelSet := false
	flag.Visit(func(f *flag.Flag) { parallelSet = parallelSet || f.Name == "test.parallel" })
	if !parallelSet {
		if err := flag.Set("test.parallel", parallelTests); err != nil {
			return err
		}
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Printf("seed %d\n", *seed)
	// Build before the tests, so that no test spends its timeout on the build.
	for _, race := range []bool{false, true} {
		if _, err := stack.Build(context.Background(), io.Discard, stack.Source{Race: race}); err != nil {
			return err
		}
	}
	stack.UseMemory()
	return nil
}

// newRandom returns the random number generator of one client in one test.
func newRandom(t testing.TB, client uint64) *rand.Rand {
	name := uint64(14695981039346656037) // FNV-1a hash of the test's name
	for _, b := range []byte(t.Name()) {
		name = (name ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(*seed^name, client))
}

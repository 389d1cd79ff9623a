package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// seed makes a run's random choices repeat as far as timing lets them.
var seed = flag.Uint64("seed", 0, "of random choices; 0 draws one")

// atOnce is how many tests run at the same time: they mostly wait, for leases to run out and for parts to be back.
const atOnce = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Printf("seed %d\n", *seed)
	os.Exit(m.Run())
}

// chance is the source of the random choices of one test; who tells the users of one test apart.
func chance(t testing.TB, who uint64) *rand.Rand {
	name := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(t.Name()) {
		name = (name ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(*seed^name, who))
}

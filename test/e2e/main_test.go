package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"checkout/test/stack"
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
	if _, err := stack.Build(context.Background(), io.Discard, stack.Source{Race: true}); err != nil { // so that no test waits for it, with its deadline running
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := keepDataInMemory(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// keepDataInMemory has the data of the systems lie in memory where there is room for it. Their Redises wait for the disk at each
// write, many of them at a time; that a shared disk makes them wait for seconds is not what is tested. What a killed process has
// written is kept by the kernel either way.
func keepDataInMemory() error {
	const shm, room = "/dev/shm", 1 << 30
	var found syscall.Statfs_t
	if err := syscall.Statfs(shm, &found); err != nil || found.Bavail*uint64(found.Bsize) < room {
		return nil
	}
	return os.Setenv("TMPDIR", shm)
}

// chance is the source of the random choices of one test; who tells the users of one test apart.
func chance(t testing.TB, who uint64) *rand.Rand {
	name := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(t.Name()) {
		name = (name ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(*seed^name, who))
}

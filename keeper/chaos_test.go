package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

var chaos = flag.Duration("chaos", 0, "duration of TestChaos; 0: skip the test")

// TestChaos injects random faults. Several faults may overlap, but at most one disk is lost at a time. Run it with:
//
//	go test ./keeper -run TestChaos -chaos 10m -v -timeout 0
func TestChaos(t *testing.T) {
	if *chaos == 0 {
		t.Skip("no -chaos")
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s := newShard(t)
	s.init(0)
	h := s.load(t)
	pause := func(most int) { time.Sleep(time.Duration(random.IntN(most)) * time.Millisecond) }
	rounds := 0
	for end := time.Now().Add(*chaos); time.Now().Before(end); rounds++ {
		s.settle()
		h.await()
		var repairs []func()
		later := func(repair func()) { repairs = append(repairs, repair) }
		wiped := false
		for range 1 + random.IntN(3) {
			i := random.IntN(3)
			n := s.nodes[i]
			if random.IntN(2) == 0 {
				i = max(0, s.primary())
				n = s.nodes[i]
			}
			restartKeeper := func() {
				if !n.keeper.running() {
					s.startKeeper(i)
				}
			}
			switch fault := random.IntN(6); {
			case fault == 0 && n.redis.running():
				t.Logf("%d: kill redis %d", rounds, i)
				stop(n.redis)
				later(func() { s.startRedis(i) })
			case fault == 1 && n.keeper.running():
				t.Logf("%d: kill keeper %d", rounds, i)
				stop(n.keeper)
				later(restartKeeper)
			case fault == 2:
				t.Logf("%d: hang redis %d", rounds, i)
				n.redis.Process.Signal(syscall.SIGSTOP)
				later(func() { n.redis.Process.Signal(syscall.SIGCONT) })
			case fault == 3:
				t.Logf("%d: hang keeper %d", rounds, i)
				n.keeper.Process.Signal(syscall.SIGSTOP)
				later(func() { n.keeper.Process.Signal(syscall.SIGCONT) })
			case fault == 4 && n.keeper.running():
				t.Logf("%d: stop keeper %d", rounds, i)
				n.keeper.Process.Signal(syscall.SIGTERM)
				later(func() {
					n.keeper.Process.Signal(syscall.SIGCONT)
					<-n.keeper.exited
					restartKeeper()
				})
			case fault == 5 && !wiped && len(repairs) == 0:
				wiped = true
				both := random.IntN(2) == 0
				t.Logf("%d: wipe node %d, with its keeper: %v", rounds, i, both)
				stop(n.redis)
				if both {
					stop(n.keeper)
					later(restartKeeper)
				}
				os.RemoveAll(n.dir)
				os.Mkdir(n.dir, 0o755) // the new disk
				later(func() { s.startRedis(i) })
			}
			pause(1500)
			if len(repairs) > 0 && random.IntN(3) == 0 {
				repairs[0]()
				repairs = repairs[1:]
			}
		}
		pause(3000)
		random.Shuffle(len(repairs), func(i, j int) { repairs[i], repairs[j] = repairs[j], repairs[i] })
		for _, repair := range repairs {
			repair()
			pause(500)
		}
	}
	h.finish()
	t.Logf("%d rounds", rounds)
}

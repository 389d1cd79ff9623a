package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryThreadHasTheSlack begins this test as a program of its own, which tells the slack of each of its threads: those of the
// runtime, too, which are there before main.
func TestEveryThreadHasTheSlack(t *testing.T) {
	const asked = "TELL_TIMER_SLACK"
	if os.Getenv(asked) != "" {
		slacken()
		threads, err := filepath.Glob("/proc/self/task/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			slack, err := os.ReadFile("/proc/" + filepath.Base(thread) + "/timerslack_ns")
			fmt.Println("slack", strings.TrimSpace(string(slack)), err)
		}
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), asked+"=1")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "operation not permitted") {
		t.Skip("another thread's slack is not shown to this user")
	}
	want := fmt.Sprintf("slack %d <nil>", timerSlack.Nanoseconds())
	if told, wanted := strings.Count(string(out), "slack "), strings.Count(string(out), want); told < 3 || told != wanted {
		t.Errorf("not all threads have a slack of %v:\n%s", timerSlack, out)
	}
}

package child_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"checkout/common/child"
)

// parentKey is the name of an environment variable. If the variable is set, the test binary runs no tests. Instead, the
// binary starts a child that shares its standard output. Then the binary prints a line and waits.
const parentKey = "CHILD_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentKey) == "" {
		// Keep tests off the main thread: a test waits until its thread has ended, and the main thread never ends.
		runtime.LockOSThread()
		os.Exit(m.Run())
	}
	cmd := exec.Command("sleep", "600")
	cmd.Stdout = os.Stdout
	if err := child.Start(cmd); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

func TestChildEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentKey+"=1")
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(parent); err != nil {
		t.Fatal(err)
	}
	output := bufio.NewReader(stdout)
	if line, err := output.ReadString('\n'); err != nil || line != "started\n" {
		t.Fatalf("output of the parent: got %q, %v, want started", line, err)
	}
	parent.Process.Kill()
	if _, err := io.ReadAll(output); err != nil { // the output ends when both processes have ended
		t.Error(err)
	}
	parent.Wait()
}

// TestChildOutlivesTheThreadOfItsCaller is a regression test. A thread had started a Redis for a test. Later, another
// goroutine was locked to this thread, and the thread ended with that goroutine. So the kernel killed the Redis.
func TestChildOutlivesTheThreadOfItsCaller(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	started, thread := make(chan error), make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		started <- child.Start(cmd)
		thread <- syscall.Gettid()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	for task := fmt.Sprintf("/proc/self/task/%d", <-thread); ; runtime.Gosched() {
		if _, err := os.Stat(task); err != nil {
			break // the thread has ended
		}
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil { // cat ends at the end of its input
		t.Errorf("end of the child: got %v, want exit status 0", err)
	}
}

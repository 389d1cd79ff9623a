package stack_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestKeepCopiesLogsAndRedisFiles checks that a failed run keeps its logs, its Redis files and the state of its
// components. Only the newest 20 folders of failed runs may remain.
func TestKeepCopiesLogsAndRedisFiles(t *testing.T) {
	parent := t.TempDir()
	for i := range 30 {
		must(t, os.Mkdir(filepath.Join(parent, fmt.Sprintf("20000101-0000%02d.000-old", i)), 0o755))
	}
	s := start(t, stack.Config{Kept: parent})
	user := create(t, s, "/payment/create_user", "user_id")
	must(t, s.Kill("stock-1"))
	passed, failed := &fakeTest{T: t}, &fakeTest{T: t, failed: true}
	s.End(failed)
	_, folder, _ := strings.Cut(failed.log, "TestX/case one: ")
	if name := filepath.Base(folder); !strings.HasSuffix(name, "-TestX_case_one") {
		t.Errorf("got the folder %s, want a name that ends with -TestX_case_one", name)
	}
	for file, want := range map[string]string{
		"components.txt": "\nstock-1 at 127.0.0.1:", "logs/payment-1.log": "service=payment", "nginx/nginx.conf": "",
		"redis-payment-0/appendonlydir/*.incr.aof": user,
	} {
		files, _ := filepath.Glob(filepath.Join(folder, file))
		if len(files) != 1 {
			t.Errorf("%s: got %d files, want 1", file, len(files))
			continue
		}
		if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q, %v: %.500s", file, want, err, text)
		}
	}
	state, _ := os.ReadFile(filepath.Join(folder, "components.txt"))
	if !strings.Contains(string(state), " is not running\n") {
		t.Errorf("got the states\n%s\nwant a component that is not running", state)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 20 || left[19].Name() != filepath.Base(folder) {
		t.Errorf("%d folders are left, want the newest 20: %v, %v", len(left), left, err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat the temporary directory: got the error %v, want %v", err, os.ErrNotExist)
	}
	s.End(failed)
	if want := "the stack is closed"; !strings.Contains(failed.log, want) {
		t.Errorf("after Close: %q, want %q", failed.log, want)
	}
	if s.End(passed); passed.log != "" {
		t.Errorf("a test that passed logs %q, want nothing", passed.log)
	}
}

// fakeTest is a test that has failed or passed.
type fakeTest struct {
	*testing.T
	failed bool
	log    string
}

func (*fakeTest) Name() string                        { return "TestX/case one" }
func (f *fakeTest) Failed() bool                      { return f.failed }
func (f *fakeTest) Logf(format string, args ...any)   { f.log = fmt.Sprintf(format, args...) }
func (f *fakeTest) Errorf(format string, args ...any) { f.T.Errorf(format, args...) }

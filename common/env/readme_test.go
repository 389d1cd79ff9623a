package env

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// README's table of variables is Variables, line by line.
func TestReadmeListsEveryVariable(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| variable | meaning | default |\n|---|---|---|\n")
	for _, v := range Variables {
		fmt.Fprintf(&want, "| %s | %s | %s |\n", v.Name, v.Meaning, v.Default)
	}
	if !strings.Contains(string(readme), want.String()+"\n") {
		t.Errorf("README's table is not\n%s", want.String())
	}
}

// What Parse asks for is in Variables, and the other way round.
func TestVariablesAreThoseThatParseReads(t *testing.T) {
	read := map[string]bool{}
	Parse(func(name string) string { read[name] = true; return "" }, Order, Stock, Payment)
	for _, v := range Variables {
		for name := range strings.SplitSeq(v.Name, ", ") {
			if !read[name] {
				t.Errorf("%s is documented and never read", name)
			}
			delete(read, name)
		}
	}
	for name := range read {
		t.Errorf("%s is read and not documented", name)
	}
}

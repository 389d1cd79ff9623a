package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// checkSecret checks that no image contains a password in its layers, history or configuration. The images were built
// and run with the password in the environment.
func (r *run) checkSecret(ctx context.Context, password string) error {
	for _, name := range images {
		image := r.project.image(name)
		for _, what := range [][]string{
			{"image", "inspect", image}, {"history", "--no-trunc", "--format", "{{json .}}", image},
		} {
			text, err := docker(ctx, what...)
			if err != nil {
				return err
			}
			if strings.Contains(text, password) {
				return fmt.Errorf("check image: docker %s prints the password", strings.Join(what, " "))
			}
		}
		cmd := exec.CommandContext(ctx, "docker", "save", image)
		saved, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		searched, where, err := searchImage(saved, password)
		_, rest := io.Copy(io.Discard, saved)
		if err := errors.Join(err, rest, cmd.Wait()); err != nil {
			return fmt.Errorf("search output of docker save %s: %w", image, err)
		}
		if where != "" {
			return fmt.Errorf("check image of %s: the password is in %s", name, where)
		}
		if searched < 1<<20 {
			return fmt.Errorf("search the image of %s: found only %d bytes, want at least %d", name, searched, 1<<20)
		}
	}
	return nil
}

// searchImage searches the output of `docker save` for a word, including compressed layers. It returns the number of
// bytes searched, and the name of the first file with the word, or "".
func searchImage(saved io.Reader, word string) (searched int64, where string, err error) {
	for files := tar.NewReader(saved); ; {
		file, err := files.Next()
		if err == io.EOF {
			return searched, "", nil
		}
		if err != nil {
			return searched, "", err
		}
		content, err := decompress(bufio.NewReader(files))
		if err != nil {
			return searched, "", fmt.Errorf("read %s: %w", file.Name, err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			return searched, "", fmt.Errorf("read %s: %w", file.Name, err)
		}
		searched += int64(len(text))
		if bytes.Contains(text, []byte(word)) {
			return searched, file.Name, nil
		}
	}
}

// decompress returns the uncompressed content of a layer.
func decompress(layer *bufio.Reader) (io.Reader, error) {
	switch start, _ := layer.Peek(4); {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return gzip.NewReader(layer)
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("decompress a layer: zstd is not supported")
	}
	return layer, nil
}

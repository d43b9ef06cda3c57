// gorender renders a werf config as werf does: text/template with sprig and werf's own functions.
//
//	gorender ROOT ALLOWED < CONFIG
//
// ROOT is a checkout of the commit. ALLOWED is a file with a regular expression a line for the
// environment variables that giterminism lets templates read.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/bmatcuk/doublestar/v4"
	"gopkg.in/yaml.v2"
)

type files struct{ root string }

func (f files) path(name string) string { return filepath.Join(f.root, filepath.Clean("/"+name)) }

func (f files) Get(name string) string {
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		panic(fmt.Sprintf("{{ .Files.Get %q }}: the file %q not found in the project git repository", name, name))
	}
	return string(data)
}

func (f files) Glob(pattern string) map[string]interface{} {
	found := map[string]interface{}{}
	names, err := doublestar.Glob(os.DirFS(f.root), strings.TrimPrefix(pattern, "/"))
	if err != nil {
		panic(err.Error())
	}
	for _, name := range names {
		if info, err := os.Stat(f.path(name)); err == nil && info.Mode().IsRegular() {
			found[name] = f.Get(name)
		}
	}
	return found
}

func (f files) Exists(name string) bool { _, err := os.Stat(f.path(name)); return err == nil }

func (f files) IsDir(name string) bool {
	info, err := os.Stat(f.path(name))
	return err == nil && info.IsDir()
}

func functions(tmpl *template.Template, allowed []*regexp.Regexp) template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "expandenv")
	run := func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := tmpl.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	all["include"] = run
	all["tpl"] = func(content string, data interface{}) (string, error) {
		name := fmt.Sprintf("tpl-%d", adler32.Checksum([]byte(content)))
		if _, err := tmpl.New(name).Parse(content); err != nil {
			return "", err
		}
		return run(name, data)
	}
	all["fromYaml"] = func(text string) (map[string]interface{}, error) {
		value := map[string]interface{}{}
		err := yaml.Unmarshal([]byte(text), &value)
		return value, err
	}
	all["toYaml"] = func(value interface{}) string {
		data, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(data), "\n")
	}
	all["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return value, errors.New(message)
		}
		return value, nil
	}
	all["env"] = func(value interface{}, fallback ...string) (string, error) {
		name := fmt.Sprint(value)
		accepted := false
		for _, each := range allowed {
			accepted = accepted || each.MatchString(name)
		}
		if !accepted {
			return "", fmt.Errorf("env name %q not allowed by giterminism", name)
		}
		text, found := os.LookupEnv(name)
		if len(fallback) == 1 && text == "" {
			return fallback[0], nil
		}
		if !found {
			return "", fmt.Errorf("the environment variable %q must be set or default must be provided", name)
		}
		return text, nil
	}
	return all
}

func render(root string, config string, allowed []*regexp.Regexp) (out string, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	tmpl := template.New("werfConfig")
	tmpl.Funcs(functions(tmpl, allowed))
	names, err := doublestar.Glob(os.DirFS(root), ".werf/**/*.tmpl")
	if err != nil {
		return "", err
	}
	sort.Strings(names)
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		if _, err := tmpl.New(strings.TrimPrefix(name, ".werf/")).Parse(string(data)); err != nil {
			return "", err
		}
	}
	if _, err := tmpl.Parse(config); err != nil {
		return "", err
	}
	data := map[string]interface{}{
		"Files":  files{root},
		"Env":    "",
		"Commit": map[string]interface{}{"Hash": strings.Repeat("0", 40), "Date": map[string]string{"Human": "", "Unix": "1700000000"}},
	}
	var buffer bytes.Buffer
	err = tmpl.ExecuteTemplate(&buffer, "werfConfig", data)
	return buffer.String(), err
}

func main() {
	config, err := io.ReadAll(os.Stdin)
	var allowed []*regexp.Regexp
	if err == nil {
		var listed []byte
		listed, err = os.ReadFile(os.Args[2])
		for _, line := range strings.Fields(string(listed)) {
			allowed = append(allowed, regexp.MustCompile("^(?:"+line+")$"))
		}
	}
	var out string
	if err == nil {
		out, err = render(os.Args[1], string(config), allowed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(out)
}

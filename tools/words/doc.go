// Command words enforces the project's vocabulary: in comments, texts and documents with Vale and
// the rules in Rounds, and in declared names with names.txt.
//
//	words [PATH ...]
//
// Without a path it first proves that the rules work: each sentence of plants.txt is planted in a
// comment of each language and in a document of a temporary folder, and must be refused with the
// better word, or pass.
package main

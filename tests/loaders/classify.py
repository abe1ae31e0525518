"""Print the scores of the texts on stdin by a folder's model, as somebody without the project would get them.

python -I classify.py FOLDER OPTIONS [PACKAGES [optimum]]

OPTIONS are those of the pipeline's call, as JSON; PACKAGES is a folder of other versions; optimum runs the graph.
"""

import json
import sys
from pathlib import Path


def main() -> None:
    folder, options, *others = sys.argv[1:]
    sys.path[:0] = others[:1]

    from transformers import AutoTokenizer, pipeline

    if "optimum" in others[1:]:
        from optimum.onnxruntime import ORTModelForSequenceClassification

        graph = ORTModelForSequenceClassification.from_pretrained(
            folder, subfolder="onnx", file_name="model_quantized.onnx"
        )
        classify = pipeline("text-classification", graph, tokenizer=AutoTokenizer.from_pretrained(folder))
    else:
        remote = {"trust_remote_code": True} if Path(folder, "architecture.py").exists() else {}
        classify = pipeline("text-classification", folder, device="cpu", **remote)
    found = [classify(text, top_k=None, **json.loads(options)) for text in json.load(sys.stdin)]
    print(json.dumps([{each["label"]: each["score"] for each in one}["positive"] for one in found]))


if __name__ == "__main__":
    main()

# Finetrieve in an image, for a machine that has Docker and no Python: everything that `make demo` installs, the base model included.
#
#   docker build -t finetrieve .
#   mkdir -p results && chmod a+w results
#   docker run --rm -v finetrieve:/home/finetrieve -v "$PWD/my-docs:/docs:ro" -v "$PWD/results:/results" \
#       finetrieve --pipeline retrain --docs /docs --out /results
#   docker run --rm -v finetrieve:/home/finetrieve finetrieve ask "how do I ..."
#
# The volume keeps ZenML's store, the caches and the models from one command to the next. `ask --serve` and `dashboard` listen on
# 127.0.0.1 of the container: give them `--network host`. For a GPU, pass --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
# and run with `--gpus all`. The image that steps run in on a cluster is another one: configs/stacks/Dockerfile.
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Of pyproject.toml, with a comma between them: openai, ollama, anthropic, mistral, litellm, onnx.
ARG EXTRAS=openai

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# The user's folder is a volume: a first `docker run` fills it with what the image has there, its owner included.
RUN useradd --create-home --uid 1000 finetrieve

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
# torch first and from its own index: the CPU build is a tenth of the size of the one with CUDA.
RUN version=$(sed -n 's/^torch==//p' constraints.txt) && pip install --index-url "$TORCH_INDEX" "torch==$version"
# The code is installed where it lies: configs/, pipelines/ and steps/ are beside the library.
COPY . .
RUN pip install -c constraints.txt -e ".[$EXTRAS]"

USER 1000
VOLUME /home/finetrieve
ENTRYPOINT ["finetrieve"]
CMD ["--help"]

"""Provider `transformers` runs a real model: a tiny one with random weights, made on disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.generation.llm.providers.base import PROVIDERS
from finetrieve.generation.recipes.triplet import TripletRecipe
from finetrieve.generation.settings import GenerationSettings
from tests.generation.generating import generate

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ANSWER = '{"positive": "How do I mute the alarm?", "negative": "How do I set the volume?"}'


def made(directory: Path, chat_template: str | None = TEMPLATE, window: int = 4096, answers: bool = False) -> Path:
    """Writes a causal LM and a tokenizer of letters; its weights are random, or taught to answer with `ANSWER`, a token of its own."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<unk>", "<s>", "</s>", "<system>", "<user>", "<assistant>"]
    letters = [*(chr(code) for code in range(32, 127)), "\n", ANSWER]
    vocabulary = {token: number for number, token in enumerate([*specials, *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": specials[3:]})
    fast.chat_template = chat_template
    fast.save_pretrained(directory)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=window,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    if answers:
        taught = torch.tensor([[vocabulary[token] for token in ("<assistant>", ANSWER, "</s>")]])
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
        for _ in range(40):
            optimizer.zero_grad()
            model(input_ids=taught, labels=taught).loss.backward()
            optimizer.step()
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return made(tmp_path_factory.mktemp("model"))


def llm(model: Path, **sampling: Any) -> Any:
    recipe = TripletRecipe(provider="transformers", model=str(model), sampling={"temperature": 0.0, **sampling})  # type: ignore[arg-type]
    loaded = recipe.provider_class(recipe.provider_options)
    loaded.connect()
    return loaded


def asked(loaded: Any, texts: list[str], max_tokens: int = 16) -> list[Any]:
    async def ask() -> list[Any]:
        messages = [[{"role": "system", "content": "Ask."}, {"role": "user", "content": text}] for text in texts]
        return await asyncio.gather(*(loaded.complete(one, None, max_tokens) for one in messages), return_exceptions=True)

    return asyncio.run(ask())


TEXTS = ["a", "To mute the alarm, swipe left.", "You can set the volume of the alarm in the settings."]


def test_requests_that_wait_together_are_one_batch_and_get_the_generate_that_each_would_get_alone(model: Path) -> None:
    loaded = llm(model)
    sizes: list[int] = []
    answers = loaded._generate
    loaded._generate = lambda batch: (sizes.append(len(batch)), answers(batch))[1]
    together = asked(loaded, TEXTS)
    assert sizes == [3]
    assert together == [asked(loaded, [text])[0] for text in TEXTS]
    for text, reply in zip(TEXTS, together, strict=True):
        assert reply.finish == "length"
        assert reply.output_tokens == 16
        # <system>Ask.</s><user>...</s><assistant>, a token a letter
        assert reply.input_tokens == len("Ask.") + len(text) + 5


def test_an_answer_ends_where_the_model_ends_it(model: Path) -> None:
    loaded = llm(model)
    loaded._new_tokens = lambda texts, max_tokens: [[*loaded._tokenizer.encode("Why?"), 2, 2, 2] for _ in texts]
    [reply] = asked(loaded, ["a"])
    assert (reply.text, reply.finish, reply.output_tokens) == ("Why?", "stop", 4)


def test_a_model_without_a_chat_template_is_told_everything_all_the_same(tmp_path: Path) -> None:
    loaded = llm(made(tmp_path, chat_template=None))
    text = loaded._text([{"role": "system", "content": "Ask."}, {"role": "user", "content": "About alarms."}])
    assert text == "Ask.\n\nAbout alarms.\n\n"
    assert len(asked(loaded, TEXTS)) == 3


def test_a_prompt_beyond_the_window_fails_alone_and_says_so(tmp_path: Path) -> None:
    loaded = llm(made(tmp_path, window=64))
    short, long = asked(loaded, ["a", "b" * 100])
    assert short.output_tokens == 16
    assert long.kind == "too_long"


def test_an_argument_that_the_model_refuses_is_no_fault_of_the_line(model: Path) -> None:
    [fault] = asked(llm(model, extra={"no_such_argument": 1}), ["a"])
    assert fault.kind == "request"
    assert "no_such_argument" in fault.text


def test_a_batch_that_the_memory_does_not_hold_is_halved(model: Path) -> None:
    loaded = llm(model)
    answers = loaded._generate

    def small(batch: list[Any]) -> list[Any]:
        if len(batch) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return answers(batch)

    loaded._generate = small
    assert [reply.output_tokens for reply in asked(loaded, TEXTS)] == [16, 16, 16]


def test_a_model_that_is_not_there_is_said_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    for name, said in {
        str(tmp_path / "none"): "There is no model directory",
        str(tmp_path): "without config.json",
        "nobody/no-such-model": "not in the Hugging Face cache, and the Hub does not give it",
    }.items():
        with pytest.raises(InputError, match=said):
            PROVIDERS.get("transformers").check_model(name)
    PROVIDERS.get("openai").check_model("gpt-4o")


def chunks(count: int) -> list[Chunk]:
    return [Chunk(f"c{n}", f"d{n}", "m.md", "Alarm", "", f"To mute the alarm {n}, swipe left.", 9, 0) for n in range(count)]


def settings(model: Path, answers: Path, **more: Any) -> GenerationSettings:
    recipe = {"name": "triplet", "provider": "transformers", "model": str(model), "asks": 2, "sampling": {"max_tokens": 16}}
    return GenerationSettings.model_validate({"recipes": [recipe], "answers": str(answers), **more})


@pytest.mark.slow
def test_what_a_model_generate_becomes_rows(tmp_path: Path) -> None:
    able = made(tmp_path / "able", answers=True)
    result = generate(chunks(3), settings(able, tmp_path / "answers"), 13, tmp_path)
    assert [(row.chunk_id, row.query, row.negative_query) for row in result.queries] == [
        (f"c{number}", "How do I mute the alarm?", "How do I set the volume?") for number in range(3)
    ]
    assert {row.generator for row in result.queries} == {f"transformers/{able}"}
    again = generate(chunks(3), settings(able, tmp_path / "answers"), 13, tmp_path)
    assert again.queries == result.queries
    assert again.report["asked"]["triplet"]["hits"] == 3


@pytest.mark.slow
def test_what_a_model_writes_is_a_row_or_a_reject_and_too_many_rejects_fail_the_step(model: Path, tmp_path: Path) -> None:
    result = generate(chunks(5), settings(model, tmp_path / "answers", max_failed_share=1.0), 13, tmp_path)
    # Random weights write no query: every request is asked twice, fails by itself, and is kept with what was written.
    assert result.queries == []
    assert sum(result.report["failures"].values()) == 5
    assert result.report["asked"]["triplet"]["requests"] == 10
    assert all(reject.query for reject in result.rejects)
    with pytest.raises(InputError, match=r"5 of 5 requests failed \(truncated 5\), more than generation\.max_failed_share 0\.05"):
        generate(chunks(5), settings(model, tmp_path / "answers"), 13, tmp_path)


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_stops_the_run_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be loaded by transformers"):
        generate(chunks(1), settings(tmp_path / "model", tmp_path / "answers"), 13, tmp_path)

"""The door to local vision-language models, with a tiny one made here: random weights, a real processor, a real template."""

import io

import pytest
from PIL import Image

from bitproof.core import ModelError, SpecError
from bitproof.models import check_spec, load_any

transformers = pytest.importorskip("transformers", reason="the extra vlm is not installed")
tokenizers = pytest.importorskip("tokenizers")

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
)
WORDS = ["<pad>", "<unk>", "<s>", "</s>", "<image>", "Is", "it", "?", "yes", "no", "red", "blue"]


def made(folder):
    import torch

    torch.manual_seed(0)
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=16,
    )
    text = transformers.LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    config = transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=4, vision_feature_layer=-1)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    transformers.LlavaProcessor(
        image_processor=pictures, tokenizer=tokenizer, patch_size=8, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made(tmp_path_factory.mktemp("vlm") / "tiny")


def png(color):
    file = io.BytesIO()
    Image.new("RGB", (24, 20), color).save(file, "PNG")
    return file.getvalue()


def test_a_folder_answers_about_a_picture(folder):
    endpoint = load_any(f"vlm:{folder},max_tokens=4")
    reply = endpoint.chat.ask(png("red"), "Is it red ?", 0)
    assert reply.text
    assert (reply.tokens_in, reply.server) == (4 + 4, "LlavaForConditionalGeneration")
    assert 1 <= reply.tokens_out <= 4
    assert endpoint.chat.ask(png("red"), "Is it red ?", 1).text == reply.text
    assert (endpoint.served, endpoint.concurrency, endpoint.recipe) == ("tiny", 1, "fp32")


def test_text_alone(folder):
    assert load_any(f"vlm:{folder},max_tokens=2").chat.ask(None, "Is it ?", 0).tokens_in == 3


def test_the_digest_is_of_the_weights_and_what_decides_the_answer(folder, tmp_path):
    one = load_any(f"vlm:{folder}").digest
    assert load_any(f"vlm:{folder},of=big").digest == one
    assert load_any(f"vlm:{folder},max_tokens=3").digest != one
    other = made(tmp_path / "tiny")
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    assert load_any(f"vlm:{other}").digest != one


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_any(f"vlm:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "nothing"}')
    with pytest.raises(ModelError, match="transformers can load"):
        load_any(f"vlm:{tmp_path}").chat.ask(None, "?", 0)
    with pytest.raises(SpecError, match="bfloat16"):
        check_spec("vlm:folder,dtype=int8")
